"""Converters to ONNX: importing this module registers them with `skl2onnx`.

It needs the extra `onnx`. It converts every fitted classifier of the package, alone or at the end
of a pipeline, with the options of scikit-learn's classifiers:

- `zipmap`: True (the default), False or "columns", the format of the probabilities;
- `nocl`: True for class indices instead of labels;
- `raw_scores`: True for scores instead of probabilities; the scores of several nets are the
  logarithms of the mean probabilities.

`FusedGridSearchCV` and `FusedRandomizedSearchCV` convert as `GridSearchCV` does: to the graph of
`best_estimator_`, which may be a pipeline or another estimator, with the options of that one.
"""

import numpy as np

try:
    from skl2onnx import update_registered_converter
except ImportError as error:
    raise ImportError(
        'sklearn_toynn.onnx needs skl2onnx: pip install "sklearn-toynn[onnx]"'
    ) from error
from skl2onnx._parse import _parse_sklearn_grid_search_cv
from skl2onnx.algebra import onnx_ops as ops
from skl2onnx.common.data_types import guess_numpy_type
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from skl2onnx.operator_converters.grid_search_cv import (
    convert_sklearn_grid_search_cv as convert_search,
)
from skl2onnx.proto import onnx_proto
from skl2onnx.shape_calculators.grid_search_cv import (
    convert_sklearn_grid_search_cv as set_shapes_of_search,
)

from ._cross_validated import SoftmaxClassifierCV, TwoLayerNetClassifierCV
from ._net_classifiers import MultiLayerNetClassifier, TwoLayerNetClassifier
from ._softmax import SoftmaxClassifier
from .model_selection import FusedGridSearchCV, FusedRandomizedSearchCV

__all__ = []

ONNX_TYPES = {
    np.dtype(np.float32): onnx_proto.TensorProto.FLOAT,
    np.dtype(np.float64): onnx_proto.TensorProto.DOUBLE,
}


def gelu(z, dtype, how):
    """Return z (1 + erf(z / sqrt 2)) / 2; there is an Erf for float alone."""
    scaled = ops.OnnxMul(z, np.array([2**-0.5], dtype), **how)
    erf = ops.OnnxErf(ops.OnnxCast(scaled, to=onnx_proto.TensorProto.FLOAT, **how), **how)
    phi = ops.OnnxAdd(ops.OnnxCast(erf, to=ONNX_TYPES[dtype], **how), np.array([1], dtype), **how)
    return ops.OnnxMul(ops.OnnxMul(z, np.array([0.5], dtype), **how), phi, **how)


#: Of each activation, what makes it of z, its dtype and the arguments that all operators get.
ACTIVATIONS = {
    "relu": lambda z, _, how: ops.OnnxRelu(z, **how),
    "leaky_relu": lambda z, dtype, how: ops.OnnxMax(
        z, ops.OnnxMul(z, np.array([0.01], dtype), **how), **how
    ),
    "logistic": lambda z, _, how: ops.OnnxSigmoid(z, **how),
    "tanh": lambda z, _, how: ops.OnnxTanh(z, **how),
    "gelu": gelu,
    "silu": lambda z, _, how: ops.OnnxMul(z, ops.OnnxSigmoid(z, **how), **how),
    "identity": lambda z, _, how: z,  # noqa: ARG005
}


def net_scores(X, weights, biases, activation, dtype, how):
    """Return the scores of one net, layers (fan_out, fan_in) and (fan_out,)."""
    values = X
    for place, (layer, bias) in enumerate(zip(weights, biases, strict=True)):
        if place > 0:
            values = ACTIVATIONS[activation](values, dtype, how)
        product = ops.OnnxMatMul(values, layer.T.astype(dtype), **how)
        values = ops.OnnxAdd(product, bias.astype(dtype), **how)
    return values


def convert(scope, operator, container):
    """Write a fitted model as ONNX operators: labels, then probabilities or scores."""
    model = getattr(operator.raw_operator, "best_estimator_", operator.raw_operator)
    options = container.get_options(operator.raw_operator, {"raw_scores": False, "nocl": False})
    how = {"op_version": container.target_opset}
    X = operator.inputs[0]
    dtype = np.dtype(guess_numpy_type(X.type))
    if dtype not in ONNX_TYPES:
        dtype = np.dtype(np.float32)
        X = ops.OnnxCast(X, to=ONNX_TYPES[dtype], **how)
    activation = vars(model).get("_fitted_activation")
    nets = [
        net_scores(X, network.weights, network.biases, activation, dtype, how)
        for network in model._get_networks()
    ]
    if len(nets) == 1:
        scores, probabilities = nets[0], ops.OnnxSoftmax(nets[0], axis=1, **how)
    else:
        sums = ops.OnnxSum(*(ops.OnnxSoftmax(net, axis=1, **how) for net in nets), **how)
        probabilities = ops.OnnxMul(sums, np.array([1 / len(nets)], dtype), **how)
        scores = ops.OnnxLog(probabilities, **how)
    place = ops.OnnxArgMax(probabilities, axis=1, keepdims=0, **how)
    label, result = operator.outputs
    classes = model.classes_
    if options["nocl"] or np.array_equal(classes, np.arange(len(classes))):
        labels = ops.OnnxIdentity(place, output_names=[label], **how)
    else:
        is_text = classes.dtype.kind in "OUS"
        values = classes.astype(str if is_text else np.int64)
        taken = ops.OnnxArrayFeatureExtractor(values, place, **how)
        labels = ops.OnnxReshape(taken, np.array([-1], np.int64), output_names=[label], **how)
    labels.add_to(scope, container)
    chosen = scores if options["raw_scores"] else probabilities
    ops.OnnxIdentity(chosen, output_names=[result], **how).add_to(scope, container)


for _class in (
    MultiLayerNetClassifier,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
):
    update_registered_converter(
        _class,
        f"SklearnToynn{_class.__name__}",
        calculate_linear_classifier_output_shapes,
        convert,
        options={
            "zipmap": [True, False, "columns"],
            "nocl": [True, False],
            "output_class_labels": [False, True],
            "raw_scores": [True, False],
        },
    )

for _class in (FusedGridSearchCV, FusedRandomizedSearchCV):
    update_registered_converter(
        _class,
        "SklearnGridSearchCV",
        set_shapes_of_search,
        convert_search,
        parser=_parse_sklearn_grid_search_cv,
        options="passthrough",
    )
