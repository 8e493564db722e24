"""Records of runs, figures and the report; uses the flat files only."""
