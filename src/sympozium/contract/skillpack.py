"""`SkillPack`: what an agent is taught, and a container that carries it out. Not supported yet."""

from typing import Annotated

import msgspec

from sympozium.contract.schema import KubeModel, Quantities, described


class Requirements(KubeModel, frozen=True, kw_only=True):
    """What a skill is of no use without."""

    bins: Annotated[list[str], described("Programs that it runs.")] = []
    tools: Annotated[list[str], described("Tools that the agent must have.")] = []


class Skill(KubeModel, frozen=True, kw_only=True):
    """Instructions for one kind of task."""

    name: Annotated[str, described("Name of the skill within its pack.")] = ""
    description: Annotated[str, described("When it is of use, for model and people.")] = ""
    content: Annotated[str, described("What the model is told, in Markdown.")] = ""
    requires: Requirements | None = None


class RuntimeRequirements(KubeModel, frozen=True, kw_only=True):
    """What a run with these skills needs."""

    sandbox: Annotated[bool, described("Whether commands run in a sandbox of their own.")] = False
    min_memory: Annotated[str, described("Memory, as a quantity: `256Mi`.")] = ""
    min_cpu: Annotated[str, described("Processor, as a quantity: `100m`.")] = msgspec.field(
        default="", name="minCPU"
    )


class RightsRule(KubeModel, frozen=True, kw_only=True):
    """Rights at the API server, as in a Role."""

    api_groups: Annotated[list[str], described("API groups; the core group is empty.")] = []
    resources: Annotated[list[str], described("Plurals of kinds, with their subresources.")] = []
    verbs: Annotated[list[str], described("What may be done with them.")] = []


class Sidecar(KubeModel, frozen=True, kw_only=True):
    """The container in the pod of a run that carries out the skills' commands."""

    image: Annotated[str, described("Image of the container.")] = ""
    mount_workspace: Annotated[bool, described("Whether it sees the run's files.")] = False
    resources: Annotated[Quantities, described("What it asks for, by resource name.")] = {}
    rbac: Annotated[list[RightsRule], described("Rights in the namespace of the run.")] = []
    cluster_rbac: Annotated[list[RightsRule], described("Rights in the whole cluster.")] = (
        msgspec.field(default_factory=list, name="clusterRBAC")
    )


class SkillPackSpec(KubeModel, frozen=True, kw_only=True):
    """What is wanted of a pack of skills."""

    category: Annotated[str, described("What the skills are about, for people.")] = ""
    version: Annotated[str, described("Version of the pack.")] = ""
    source: Annotated[str, described("Where the pack comes from, for people.")] = ""
    skills: Annotated[list[Skill], described("The skills themselves.")] = []
    runtime_requirements: RuntimeRequirements | None = None
    sidecar: Sidecar | None = None
