"""Float network → int8 model file, with its evaluation beside the float one's. `python -m quantize …`"""
