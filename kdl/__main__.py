"""``python -m kdl``."""

from kdl.cli.main import main

if __name__ == "__main__":
    main()
