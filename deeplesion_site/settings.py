"""One settings file, driven by the environment; docs/settings.md lists every variable."""

from datetime import timedelta
from pathlib import Path

import environ
import plotly
from csp.constants import NONE, SELF, UNSAFE_INLINE
from kombu import Queue

from datasets import thresholds
from deeplesion_site import environment
from deeplesion_site.keys import read_or_create

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DATA_DIR = environment.folder("DATA_DIR", BASE_DIR / "var")
PORT = environment.port("PORT", 8000)
IMPORT_DIR = environment.folder_to_read("IMPORT_DIR")

DEBUG = environment.boolean("DEBUG", False)
PRODUCTION = environment.boolean("PRODUCTION", False)
if PRODUCTION:
    environment.require(
        ("SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "CELERY_BROKER_URL", "IDENTITY_KEY_FILE"), "PRODUCTION=1"
    )
SECRET_KEY = env.str("SECRET_KEY", default="") or read_or_create(DATA_DIR / "secret_key")
ALLOWED_HOSTS = environment.names("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = environment.origins("CSRF_TRUSTED_ORIGINS")
PUBLIC_READ = environment.boolean("PUBLIC_READ", not PRODUCTION)
THRESHOLDS = thresholds.read(environment.number)
IDENTITY_KEY_FILE = Path(env.str("IDENTITY_KEY_FILE", default=str(DATA_DIR / "identity_key")))

# The PACS's password goes nowhere else, whatever address a form names.
DICOMWEB_HOSTS = environment.hosts("DICOMWEB_HOSTS", [] if PRODUCTION else ["localhost", "127.0.0.1", "[::1]"])

# Slices lie in DATA_DIR, or in a bucket of an S3 server where one is named.
S3_BUCKET = env.str("S3_BUCKET", default="")
if S3_BUCKET:
    environment.require(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "S3_BUCKET")
S3_PLACE = {
    "bucket": S3_BUCKET,
    "endpoint": environment.server("S3_ENDPOINT"),
    "region": env.str("S3_REGION", default="us-east-1") or "us-east-1",
    "prefix": environment.folder_name("S3_PREFIX"),
    "key_id": env.str("AWS_ACCESS_KEY_ID", default=""),
    "secret": env.str("AWS_SECRET_ACCESS_KEY", default=""),
}
S3 = S3_PLACE if S3_BUCKET else None

DATA_USE_AGREEMENT = environment.file(
    "DATA_USE_AGREEMENT", BASE_DIR / "deeplesion_site" / "accounts" / "data_use_agreement.txt"
)

INSTALLED_APPS = [
    "deeplesion_site",
    "deeplesion_site.accounts",
    "workers",
    "datasets",
    "detection",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
]

MIDDLEWARE = [
    "deeplesion_site.head.HeadMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "deeplesion_site.nul.NulMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "deeplesion_site.accounts.bearer.BearerMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "deeplesion_site.urls"
WSGI_APPLICATION = "deeplesion_site.wsgi.application"
ASGI_APPLICATION = "deeplesion_site.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "deeplesion_site.access.context",
            ]
        },
    }
]

# SQLite: readers never wait for the writer (WAL), and a transaction takes the write lock when it begins,
# so that two writers queue instead of failing half-way.
DATABASES = {"default": environment.database("DATABASE_URL", f"sqlite:///{DATA_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # It holds the dates of patients' first studies; WAL and index get the rights of the database.
    environment.private(Path(DATABASES["default"]["NAME"]))
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        # With recursive triggers, INSERT OR REPLACE cannot push out a row that a trigger keeps.
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; "
            "PRAGMA recursive_triggers=ON;"
        ),
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesBackend", "django.contrib.auth.backends.ModelBackend"]
# Ten wrong passwords for one name from one address, or fifty for any, and that address waits a quarter of an hour.
AXES_FAILURE_LIMIT = 10
LOGIN_FAILURES_OF_ADDRESS = 50
TRUSTED_PROXIES = environment.count("TRUSTED_PROXIES", 0, 10)
AXES_HANDLER = "deeplesion_site.accounts.throttle.LoginThrottle"
AXES_CLIENT_IP_CALLABLE = "deeplesion_site.accounts.throttle.client_address"
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "overview"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static", ("plotly", Path(plotly.__file__).parent / "package_data")]
WHITENOISE_USE_FINDERS = True

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        # Plotly and HTMX set styles from script; no script is ever inline.
        "style-src": [SELF, UNSAFE_INLINE],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Two instances on one host and different ports must not log each other out.
SESSION_COOKIE_NAME = env.str("SESSION_COOKIE_NAME", default=f"session_{PORT}")
CSRF_COOKIE_NAME = f"csrf_{PORT}"
SESSION_COOKIE_HTTPONLY = True
# Behind a proxy that ends TLS and says so; docs/settings.md tells what it must send.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION else None
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION

JOB_LEASE_SECONDS = environment.seconds("JOB_LEASE_SECONDS", 60)
CELERY_BROKER_URL = environment.broker("CELERY_BROKER_URL", "filesystem://localhost")
if PRODUCTION:
    environment.production(DEBUG, SECRET_KEY, ALLOWED_HOSTS, CELERY_BROKER_URL, IDENTITY_KEY_FILE)
# A message that its worker does not acknowledge for so long is delivered once more, which must be far above a lease; a
# job that takes longer still runs once, because the second delivery finds it taken.
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {"visibility_timeout": max(3600, 10 * JOB_LEASE_SECONDS)}
if CELERY_BROKER_URL.startswith("filesystem:"):
    messages, control = DATA_DIR / "broker" / "messages", DATA_DIR / "broker" / "control"
    for folder in (messages, control):
        folder.mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS |= {
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "control_folder": str(control),
        "store_processed": False,
    }
CELERY_TASK_QUEUES = [Queue(name) for name in ("io", "cpu", "gpu")]
CELERY_TASK_DEFAULT_QUEUE = "io"
CELERY_TASK_IGNORE_RESULT = True
# Tasks that keep their connections: `workers.tasks` closes those that are old or broken.
CELERY_DB_REUSE_MAX = 1_000_000_000
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Beat knocks; the database knows what is due. A knock that waited behind long work is as good as the next one.
KNOCK_SECONDS = 60
# It remembers nothing: a file of its own that is damaged, or restored in part, would end it, and nothing would tell.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "harvests": {
        "task": "workers.tasks.knock",
        "schedule": KNOCK_SECONDS,
        "options": {"queue": "io", "expires": KNOCK_SECONDS - 5},
    }
}

FILE_UPLOAD_HANDLERS = ["deeplesion_site.uploads.NoUploads"]

REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["deeplesion_site.api.permissions.ReadPublished"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "deeplesion_site.accounts.bearer.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["deeplesion_site.api.parsers.ShallowJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "deeplesion_site.api.schema.ProblemSchema",
    "EXCEPTION_HANDLER": "deeplesion_site.api.problems.handle",
    "DEFAULT_VERSIONING_CLASS": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "DeepLesion",
    "DESCRIPTION": "Lesions, the slices they lie on, and the releases they are published in.",
    "VERSION": "1",
    # 3.1 can say of a place in the body that it is null; 3.0 cannot.
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"one line": {"()": "deeplesion_site.logs.OneLine"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler"},
        "one line": {"class": "logging.StreamHandler", "formatter": "one line"},
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    # Each address that does not exist would be a line, and an address may hold what somebody typed.
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.security": {"handlers": ["one line"], "propagate": False},
        # Whoever sends too much, or a file, is told; as with an address that does not exist, the log is not.
        **{
            f"django.security.{name}": {"level": "CRITICAL"}
            for name in ("NothingIsUploaded", "RequestDataTooBig", "TooManyFieldsSent", "TooManyFilesSent")
        },
    },
}
