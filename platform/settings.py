"""Django's and Sightline's settings: read from the environment, once, here. docs/settings.md
lists them.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import zoneinfo
from datetime import timedelta
from pathlib import Path

import dj_database_url
import django_stubs_ext
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from sightline.base.private import make_private
from sightline.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()
# Django's generic classes take their type parameters at run time, too.
django_stubs_ext.monkeypatch()

# What Sightline writes into it.
OWN_FILES = ("*.key", "sightline.sqlite3*", "celery*", "media", "broker.address")
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / "data"))).absolute()
try:
    make_private(DATA_DIR, OWN_FILES)
except OSError as _err:
    raise ImproperlyConfigured(
        f"DATA_DIR is {DATA_DIR}, which cannot be made: {_err.strerror}."
    ) from _err


def _kept_secret(name: str, make: str) -> str:
    """A secret made at the first start and kept in DATA_DIR, readable by its owner only."""
    path = DATA_DIR / name
    try:
        with path.open("x", encoding="utf-8") as file:
            path.chmod(0o600)
            file.write(make)
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip()
    except OSError as err:
        raise ImproperlyConfigured(
            f"{path} cannot be written: {err.strerror}. Set DATA_DIR to a folder of your own."
        ) from err
    return make


def _matches(pattern: str, text: str) -> None:
    if not re.fullmatch(pattern, text):
        raise ValueError(text)


DEBUG = env.flag("DEBUG")
SECRET_KEY = env.text("SECRET_KEY") or _kept_secret("secret.key", secrets.token_urlsafe(50))
# Newest first: the first key encrypts, all of them decrypt. Kept out of the database, so that a
# copy of it opens no camera.
CREDENTIAL_KEYS = env.checked_items(
    "CREDENTIAL_KEYS", Fernet, "keys of 32 bytes in URL-safe base64, separated by commas"
) or [_kept_secret("credential.key", Fernet.generate_key().decode())]

PORT = env.number("PORT", 8000, minimum=1, maximum=65535)
ADMIN_PASSWORD = env.text("ADMIN_PASSWORD")  # of the first start
BIND = env.text("BIND", "127.0.0.1")
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.items("CSRF_TRUSTED_ORIGINS")
HTTPS: bool = env.flag("HTTPS")
# What serves TLS in front of us counts as a proxy.
PROXIES = max(env.number("PROXIES", 0, maximum=10), int(HTTPS))
# Daphne believes a client's Daphne-Root-Path; only a proxy that always sets it may be believed.
PROXY_SETS_ROOT_PATH: bool = env.flag("PROXY_SETS_ROOT_PATH")
# Of one web process; 0 = no limit. Without PROXIES only: else all connections are the proxies'.
CONNECTIONS_PER_ADDRESS = env.number("CONNECTIONS_PER_ADDRESS", 500, maximum=100_000)
STREAMS_PER_USER = env.number("STREAMS_PER_USER", 30, minimum=1, maximum=10_000)
SOCKETS_PER_USER = env.number("SOCKETS_PER_USER", 20, minimum=1, maximum=10_000)
# The largest file of a model that is sent in the admin, with its form.
UPLOAD_MIB = env.number("UPLOAD_MIB", 600, minimum=2, maximum=4096)
# Where a process serves its health and metrics to the cluster; 0 = nowhere. A supervisor gives its
# processes the ports that follow.
METRICS_PORT = env.number("METRICS_PORT", 0, maximum=65_000)
# Where traces of frames are sent by OTLP over HTTP; empty: tracing is off. One frame in
# TRACE_EVERY is traced.
OTEL_EXPORTER_OTLP_ENDPOINT = env.checked(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "",
    lambda text: _matches(r"|https?://\S+", text),
    "an address such as http://collector:4318",
)
TRACE_EVERY = env.number("TRACE_EVERY", 100, minimum=1)
# How often an open stream or socket checks that its viewer may still see the camera.
RECHECK_SECONDS = env.number("RECHECK_SECONDS", 15, minimum=1, maximum=3600)
# How long a stream that a signed link opened may run.
STREAM_LINK_HOURS = env.number("STREAM_LINK_HOURS", 24, minimum=1, maximum=720)

# Kafka. Without KAFKA_BOOTSTRAP_SERVERS the embedded broker serves this machine; `manage.py up`
# starts it and leaves its address in DATA_DIR.
KAFKA_BOOTSTRAP_SERVERS = env.text("KAFKA_BOOTSTRAP_SERVERS")
KAFKA_EMBEDDED = env.flag("KAFKA_EMBEDDED", default=not KAFKA_BOOTSTRAP_SERVERS)
env.choice(
    "KAFKA_SECURITY_PROTOCOL", ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"), "PLAINTEXT"
)
KAFKA_SECURITY = env.prefixed("KAFKA_SECURITY_")
KAFKA_REPLICATION = env.number("KAFKA_REPLICATION", -1, minimum=-1, maximum=32)
KAFKA_MAX_MESSAGE_BYTES = env.number(
    "KAFKA_MAX_MESSAGE_BYTES", 8 * 1024 * 1024, minimum=64 * 1024, maximum=100 * 1024 * 1024
)
TOPIC_PREFIX = env.checked(
    "TOPIC_PREFIX",
    "sightline",
    lambda text: _matches(r"(?=.{1,100}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", text),
    "letters, digits, hyphens and underscores, in parts separated by dots, 100 characters at most",
)
FRAMES_RETENTION = env.number("FRAMES_RETENTION", 60, minimum=10)
CAPTURE_PARTITIONS = env.number("CAPTURE_PARTITIONS", 64, minimum=1, maximum=10_000)

# Cameras.
CAMERA_ALLOW_FILE = env.flag("CAMERA_ALLOW_FILE")
CAMERA_ALLOW_DEVICE = env.flag("CAMERA_ALLOW_DEVICE")
# Networks that a camera's address may be in although they are refused otherwise: loopback,
# link-local and the like.
CAMERA_ALLOWED_NETWORKS = env.checked_items(
    "CAMERA_ALLOWED_NETWORKS",
    ipaddress.ip_network,
    "networks such as 127.0.0.0/8, separated by commas",
)

# How long a camera may send the same frame, or black ones, before its state says so.
FROZEN_SECONDS = env.number("FROZEN_SECONDS", 10, minimum=2, maximum=3600)
BLACK_SECONDS = env.number("BLACK_SECONDS", 5, minimum=2, maximum=3600)

# Model servers. Networks that one may be in although they are refused otherwise, as for cameras.
MODEL_ALLOWED_NETWORKS = env.checked_items(
    "MODEL_ALLOWED_NETWORKS",
    ipaddress.ip_network,
    "networks such as 127.0.0.0/8, separated by commas",
)
# Classes that models of the runtime "python" may use, beside those that installed packages offer.
PYTHON_MODELS = env.checked_items(
    "PYTHON_MODELS",
    lambda text: _matches(r"\w+([.:]\w+)+", text),
    "dotted paths such as iris_model.IrisModel",
)
# Where the schemas of Avro records are kept. Credentials may be part of the address.
SCHEMA_REGISTRY_URL = env.checked(
    "SCHEMA_REGISTRY_URL",
    "",
    lambda text: _matches(r"|https?://\S+", text),
    "an address such as http://registry:8081",
)

# After so many calls that exceeded the deadline, a record becomes a dead letter; 0: never.
RECORD_DEADLINE_TRIES = env.number("RECORD_DEADLINE_TRIES", 10, maximum=1000)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic",
    "django.contrib.staticfiles",
    "csp",
    "axes",
    "channels",
    "sightline",
    "cameras",
    "inference",
    "streaming",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "streaming.visitors.tokens.BearerTokenMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "sightline.urls"
ASGI_APPLICATION = "sightline.asgi.application"

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
            ],
        },
    },
]
# The project's own templates come first, also before the admin's: templates/admin/base_site.html.
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"

DATABASE_URL = env.checked(
    "DATABASE_URL",
    f"sqlite:///{DATA_DIR / 'sightline.sqlite3'}",
    dj_database_url.parse,
    "a database's address such as postgres://user:password@host:5432/name",
)
DATABASES = {
    "default": dj_database_url.parse(DATABASE_URL, conn_max_age=60, conn_health_checks=True)
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Write-ahead logging lets readers go on while one process writes; IMMEDIATE makes writers queue
    # instead of failing half-way.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
elif DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # A server behind a broken network is given up after seconds; by the system's own defaults,
    # after a quarter of an hour.
    patience = {
        "connect_timeout": 3,
        "tcp_user_timeout": 5000,
        "keepalives_idle": 5,
        "keepalives_interval": 1,
        "keepalives_count": 5,
    }
    DATABASES["default"]["OPTIONS"] = {**patience, **DATABASES["default"].get("OPTIONS", {})}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.checked(
    "REDIS_URL",
    "",
    lambda text: _matches(r"|(rediss?|unix)://.+", text),
    "an address such as redis://host:6379/0",
)
CHANNEL_LAYERS = {
    "default": (
        {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
        }
        if REDIS_URL
        else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    )
}

# Celery. Without Redis, tasks travel through files in DATA_DIR: enough for one machine.
CELERY_BROKER_URL = REDIS_URL or "filesystem://"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 120
CELERY_BEAT_SCHEDULER = "sightline.jobs.app:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celery-beat")
# Saving a camera while Redis hangs waits no longer than this.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.2}
if REDIS_URL:
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {
        "socket_connect_timeout": 3,
        "socket_timeout": 5,
        "socket_keepalive": True,
    }
else:
    CELERY_BROKER_TRANSPORT = "sightline.jobs.file_queue:Transport"
    CELERY_QUEUE_DIR = DATA_DIR / "celery"
    for _folder in ("queue", "control"):
        (CELERY_QUEUE_DIR / _folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(CELERY_QUEUE_DIR / "queue"),
        "data_folder_out": str(CELERY_QUEUE_DIR / "queue"),
        "control_folder": str(CELERY_QUEUE_DIR / "control"),
        "polling_interval": 0.2,
    }

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# After five wrong passwords a user's name is locked for the address that they came from. The admin
# shows the count and can unlock it.
AUTHENTICATION_BACKENDS = [
    "sightline.site.login_limit.LoginLimit",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 5
# User names that fail from one address before all log-ins from there wait.
LOGIN_NAMES_PER_ADDRESS = env.number("LOGIN_NAMES_PER_ADDRESS", 20, minimum=2, maximum=10_000)
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
AXES_CLIENT_IP_CALLABLE = "sightline.site.logins.client_address"
AXES_LOCKOUT_CALLABLE = "sightline.site.logins.locked_out"
LOGIN_REDIRECT_URL = "wall"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
TIME_ZONE = env.checked(
    "TIME_ZONE", "UTC", zoneinfo.ZoneInfo, "a time zone's name such as Europe/Berlin"
)
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static"
SERVESTATIC_USE_FINDERS = True
MEDIA_ROOT = DATA_DIR / "media"
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "blob:", "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [
    r"^healthz$",
    r"^readyz$",
]  # probes speak plain HTTP to the process itself
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

LOG_LEVEL = env.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "INFO")
LOG_FORMAT = env.choice("LOG_FORMAT", ("LINE", "JSON"), "LINE")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "sightline.telemetry.logs.LineFormatter",
            "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s",
        },
        "json": {
            "()": "sightline.telemetry.logs.JsonLineFormatter",
            "fmt": "%(levelname)s %(name)s %(message)s %(process)d %(threadName)s",
            "rename_fields": {"levelname": "level", "name": "logger", "threadName": "thread"},
            "timestamp": True,
        },
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT.lower()}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django.server": {"level": "WARNING"},
        # Log our own failures only, not requests that are refused or cannot be served now.
        "django.request": {"level": "ERROR"},
        "daphne": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "librdkafka": {"level": "DEBUG" if LOG_LEVEL == "DEBUG" else "CRITICAL"},
        "kombu.connection": {"level": "ERROR"},
        "opentelemetry": {"level": "ERROR"},
    },
}
