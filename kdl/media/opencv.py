"""OpenCV, which only optical flow needs and which is an extra."""

from __future__ import annotations

from types import ModuleType

from kdl.errors import ToolMissing


def require_opencv(algorithm: str) -> ModuleType:
    """OpenCV, with what the algorithm needs of it. Raises ToolMissing, with the command that brings it."""
    fix = "pip install 'kdl[flow]'"
    try:
        import cv2
    except ImportError as error:
        raise ToolMissing("is not installed, and optical flow needs it", subject="OpenCV", fix=fix) from error
    if algorithm == "tvl1" and not hasattr(cv2, "optflow"):
        raise ToolMissing(
            "this build has no TV-L1, which is in opencv-contrib",
            subject="OpenCV",
            fix=f"pip uninstall -y opencv-python opencv-python-headless; {fix}",
        )
    module: ModuleType = cv2
    return module
