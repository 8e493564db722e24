"""Records of runs, figures and the report; uses data and the flat files."""
