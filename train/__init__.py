"""The workstation: data, Keras networks, training and the float report. `python -m train …`"""
