"""Name the errors that this formula raises: the caller's mistakes, and the system's faults."""

from james_smtp import DialogueError
from james_webadmin import WebAdminError
from salt.exceptions import CommandExecutionError
from sendmail_cf import CfError
from sendmail_files import FilesError
from sendmail_live import LiveError
from sendmail_mc import McError
from sendmail_plan import PlanError
from sendmail_platform import PlatformError
from sendmail_run import RunError
from sendmail_settings import SettingsError

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
