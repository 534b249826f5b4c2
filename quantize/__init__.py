"""Float network → int8 model file, evaluated beside the float one. `python -m quantize …`"""
