"""Models of other programs (torch modules, transformers configurations, ONNX files) to workloads."""
