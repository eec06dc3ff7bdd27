"""Real servers, broken as servers break. The numbers F1 to F30 are those of the project's list of faults."""
