#pragma once

/// What `--help` prints. Each ends with a line break.
extern const char px_cli_help_all[];
extern const char px_cli_help_serve[];
extern const char px_cli_help_check[];
extern const char px_cli_help_version[];
