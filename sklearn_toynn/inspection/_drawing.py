"""What the displays share."""

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted


def import_pyplot(display):
    """Return `matplotlib.pyplot`, which is imported where something is drawn alone."""
    try:
        from matplotlib import pyplot  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(
            f"{display} draws by matplotlib, which is not installed. Install it by "
            '`pip install "sklearn-toynn[plot]"`.'
        ) from error
    return pyplot


def make_ax(display, ax, **figure_kwargs):
    """Return the given axes, or those of a new figure."""
    pyplot = import_pyplot(type(display).__name__)
    return pyplot.subplots(layout="constrained", **figure_kwargs)[1] if ax is None else ax


def last_step(estimator):
    """Return what is fitted at the end of a pipeline or a search, or the estimator itself."""
    check_is_fitted(estimator)
    estimator = getattr(estimator, "best_estimator_", estimator)
    return last_step(estimator[-1]) if isinstance(estimator, Pipeline) else estimator
