"""A package in OpenVINO's place, as far as the application uses it; an interpreter computes."""

import numpy as np


class Tensor:
    def __init__(self, data):
        self.data = np.array(data)


class Size:
    is_static = True

    def __init__(self, length):
        self.length = length

    def get_length(self):
        return self.length


class Type:
    def __init__(self, name):
        self.name = name

    def to_dtype(self):
        return np.dtype(self.name)


class Port:
    dtype = "int8"
    prefix = ""

    def __init__(self, detail):
        self.detail = detail
        self.names = {self.prefix + detail["name"]}

    def get_partial_shape(self):
        return [Size(int(n)) for n in self.detail["shape"]]

    def get_element_type(self):
        return Type(self.dtype)


class Request:
    def __init__(self, interpreter):
        self.interpreter = interpreter

    def set_input_tensor(self, tensor):
        place = self.interpreter.get_input_details()[0]["index"]
        self.interpreter.set_tensor(place, tensor.data)

    def infer(self):
        self.interpreter.invoke()

    def get_output_tensor(self, place):
        return Tensor(
            self.interpreter.get_tensor(self.interpreter.get_output_details()[place]["index"])
        )


class Compiled:
    def __init__(self, interpreter):
        self.interpreter = interpreter
        self.inputs = [Port(each) for each in interpreter.get_input_details()]
        self.outputs = [Port(each) for each in interpreter.get_output_details()]

    def create_infer_request(self):
        return Request(self.interpreter)


class Core:
    def get_property(self, device, name):
        return device

    def read_model(self, path):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            from tflite_runtime.interpreter import Interpreter
        assert path.endswith(".tflite"), path
        with open(path, "rb") as file:
            return Interpreter(model_content=file.read())

    def compile_model(self, network, device, settings):
        network.allocate_tensors()
        return Compiled(network)
