"""Reports as text: the model of a run and the formats that render it. Prints nothing."""
