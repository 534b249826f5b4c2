"""Float network → int8 model file, compared with the float network. `python -m quantize …`"""
