"""Name the errors that this formula raises: the caller's mistakes, and the system's faults."""

from salt.exceptions import CommandExecutionError

from james_client.cf.text import CfError
from james_client.files.place import FilesError
from james_client.james.smtp import DialogueError
from james_client.james.webadmin import WebAdminError
from james_client.mc.block import McError
from james_client.mta.ask import RunError
from james_client.run.live import LiveError
from james_client.run.plan import PlanError
from james_client.wishes.platform import PlatformError
from james_client.wishes.settings import SettingsError

CALLER_ERRORS = (SettingsError,)
FAULTS = (
    CfError,
    CommandExecutionError,
    DialogueError,
    FilesError,
    LiveError,
    McError,
    OSError,
    PlanError,
    PlatformError,
    RunError,
    WebAdminError,
)
ERRORS = (*CALLER_ERRORS, *FAULTS)
