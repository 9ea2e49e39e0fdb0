"""All facts become one call graph: who calls whom, with which values, and in which context it runs. Judges nothing."""
