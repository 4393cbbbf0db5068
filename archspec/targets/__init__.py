"""What a graph is compiled to: a summary, a picture, a source file, a module. No target knows another."""
