"""Checks the ONNX models of a folder with the reference checker, and runs them against the values beside them."""

import glob
import sys

import numpy
import onnx
import onnxruntime

for path in sorted(glob.glob(f"{sys.argv[1]}/*.onnx")):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    stem = path.removesuffix(".onnx")
    shapes = {value.name: [size if isinstance(size, int) else -1 for size in value.shape] for value in session.get_inputs()}
    inputs = {name: numpy.fromfile(f"{stem}.{name}", "<f4").reshape(shape) for name, shape in shapes.items()}
    names = [value.name for value in session.get_outputs()]
    for name, found in zip(names, session.run(names, inputs)):
        wanted = numpy.fromfile(f"{stem}.{name}", "<f4").reshape(found.shape)
        difference = numpy.abs(found - wanted).max()
        if not difference <= 1e-5:
            sys.exit(f"{path}: {name} differs by {difference}")
    print(f"{path}: {len(model.graph.node)} operators, outputs {', '.join(names)}")
