"""Where the documentation of the estimators is, for their HTML representation."""

#: The address of the site, without a slash at its end; empty while there is none.
SITE = ""


class DocLinkMixin:
    """Links to the page of a class, as scikit-learn has them; none without a site."""

    _doc_link_module = "sklearn_toynn"
    _doc_link_template = (
        f"{SITE}/generated/{{estimator_module}}.{{estimator_name}}.html" if SITE else ""
    )
