"""The types of ours that a model saved with skops is made of."""

from __future__ import annotations

# Written out, so that a file cannot smuggle in another object by a name that starts like ours.
# tests/interop/test_skops.py holds it against what estimators are made of.
_OWN = (
    "fairsk.base._models.GroupModel",
    "fairsk.base._tuning.JointModels",
    "fairsk.base._tuning.TuningSample",
    "fairsk.metrics._scorers._AwareScorer",
    "fairsk.metrics._scorers._FairnessScorer",
    "fairsk.metrics._scorers._Violation",
    "fairsk.model_selection._refit._BestWithinTolerance",
    "fairsk.model_selection._refit._KneeOfFront",
    "fairsk.model_selection._search.FairGridSearchCV",
    "fairsk.model_selection._search.FairHalvingGridSearchCV",
    "fairsk.model_selection._search.FairRandomizedSearchCV",
    "fairsk.neural._cosine_head.CosineNetwork",
    "fairsk.neural._cosine_head.Embedding",
    "fairsk.neural._cosine_margin.CosineMarginClassifier",
    "fairsk.neural._fair_icp.FairICPClassifier",
    "fairsk.neural._fair_icp.FairICPRegressor",
    "fairsk.neural._fair_penalty.FairPenaltyClassifier",
    "fairsk.neural._fair_penalty.FairPenaltyRegressor",
    "fairsk.neural._min_diff.MinDiffIOClassifier",
    "fairsk.neural._min_diff._PartialState",
    "fairsk.neural._persistence.StoredTensor",
    "fairsk.neural._removal_term.RemovalNetwork",
    "fairsk.neural._sensitive_remover.SensitiveInformationRemover",
    "fairsk.notions._notion.FairnessNotion",
    "fairsk.notions._notion.GroupRate",
    "fairsk.reweighting._dual_updates.DualUpdate",
    "fairsk.reweighting._fair_cost_sensitive.FairCostSensitiveClassifier",
    "fairsk.reweighting._influence_reweighter.InfluenceReweighter",
    "fairsk.reweighting._label_flipper.LabelFlipper",
    "fairsk.reweighting._label_flipping_classifier.LabelFlippingClassifier",
    "fairsk.reweighting._rounds.ReweightingRound",
    "fairsk.solvers._bayes_rule.BayesRule",
    "fairsk.solvers._joint.JointProbabilities",
    "fairsk.thresholding._bayes_optimal.BayesOptimalFairPostProcessor",
    "fairsk.thresholding._certificate.FairnessCertificate",
    "fairsk.utils._encoding.SensitiveEncoder",
    "fairsk.utils._encoding._Indicators",
    "fairsk.utils._encoding._Measurement",
    "fairsk.utils._groups.GroupEncoder",
    "fairsk.utils._groups.GroupFamily",
    "fairsk.utils._groups.Groups",
    "fairsk.utils._memberships.MembershipEncoder",
)
# Of the default networks; a module of the user's adds its own.
_LAYERS = (
    "torch.nn.modules.activation.ReLU",
    "torch.nn.modules.batchnorm.BatchNorm1d",
    "torch.nn.modules.container.Sequential",
    "torch.nn.modules.linear.Linear",
)


def skops_trusted_types() -> list[str]:
    """Types to trust when a model of ours is loaded with skops.

    skops loads a file only if every type in it is known or named as trusted. These are the classes
    of fairsk and the layers of its default network. They hold data; loading one runs no code of
    the file. Types of the inner estimator, or of a module of your own, come on top: list them
    with ``skops.io.get_untrusted_types(file=...)`` and add what you have looked at.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from fairsk.utils import skops_trusted_types
    >>> "fairsk.utils._groups.GroupEncoder" in skops_trusted_types()
    True

    ::

        skops.io.dump(model, "model.skops")
        model = skops.io.load("model.skops", trusted=skops_trusted_types())
    """
    return [*_OWN, *_LAYERS]
