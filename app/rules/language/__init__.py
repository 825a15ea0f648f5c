"""The language that rules are written in: text in, a program over columns out. No text is ever evaluated as code."""
