"""The ONNX model repository and the runtime that scores waves."""
