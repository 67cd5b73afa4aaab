"""Model packages: what a network needs beside its weights, and how it is loaded."""
