"""What a dataset is: manifests, labels, clip names, annotations, link lists. Pure but for reading files."""
