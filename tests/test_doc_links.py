"""Links to the documentation in the HTML representation."""

import pytest

from sklearn_toynn import SoftmaxClassifier, SoftmaxClassifierCV, TwoLayerNetClassifier
from sklearn_toynn._doc_links import SITE
from sklearn_toynn.model_selection import FusedGridSearchCV

ESTIMATORS = [
    SoftmaxClassifier(),
    SoftmaxClassifierCV(),
    FusedGridSearchCV(TwoLayerNetClassifier(), {"reg": [1.0]}),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_links_lead_to_this_package_or_nowhere(estimator):
    link = estimator._get_doc_link()
    assert link.startswith(SITE)
    assert bool(link) == bool(SITE)
    assert "scikit-learn.org" not in link


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_with_a_site(estimator, monkeypatch):
    template = "https://example.org/{estimator_module}.{estimator_name}.html"
    monkeypatch.setattr(type(estimator), "_doc_link_template", template)
    public = "sklearn_toynn.model_selection" if "Fused" in repr(estimator) else "sklearn_toynn"
    expected = f"https://example.org/{public}.{type(estimator).__name__}.html"
    assert estimator._get_doc_link() == expected
    assert expected in estimator._repr_html_()
