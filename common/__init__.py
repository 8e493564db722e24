"""What the parts share: a folder for each stage, and files beside them that all folders use."""
