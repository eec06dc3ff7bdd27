"""Real servers, broken as servers break. The numbers are those of the project's list of faults.

| fault                                              | tried in                                                      |
|----------------------------------------------------|---------------------------------------------------------------|
| F1 to F5: the mail server is away, silent, refuses | tests/mail: test_failures, test_smtp, test_leases             |
| F6: killed at each step, and at random             | test_crash_requests, test_crash_links, test_crash_worker,     |
|                                                    | test_kills; tests/mail/test_kills                             |
| F7, F8: many workers, frozen and killed ones       | tests/mail/test_leases; test_frozen_worker                    |
| F9: Redis                                          | test_redis, test_tls                                          |
| F10, F11: PostgreSQL, a lost answer to COMMIT      | test_postgresql, test_tls                                     |
| F12: deadlocks, serialisation failures             | test_outrun; tests/domain/test_database                       |
| F13, F14, F15: SQLite's lock, disk and file        | test_busy_database, test_full_disk, test_lost_database,       |
|                                                    | test_full_disk_postgresql; tests/test_instance                |
| F16: clocks                                        | test_clocks, test_clocks_of_portals                           |
| F17: migrations                                    | test_migrations; tests/test_migrations, tests/test_expansion  |
| F18: keys                                          | test_two_portals; tests/web/test_forgery                      |
| F19: the end of a process                          | test_mail_in_hand; tests/deploy/test_nginx;                   |
|                                                    | tests/server/test_ending; tests/cli: test_serve, test_worker  |
| F20: descriptors, connections, slow visitors,      | test_descriptors, test_memory; tests/web/test_served;         |
|      memory                                        | tests/server: test_hostile_clients, test_open_files           |
| F21, F22, F23: poison, a backlog, an old mail      | tests/mail/test_failures; tests/domain/test_delivery;         |
|                                                    | test_backlog                                                  |
| F24: sent twice                                    | test_retries; tests/web/test_races                            |
| F25: yesterday's copy                              | tests/web/test_restore; tests/cli/test_backup                 |
| F26: names                                         | test_names; tests/domain/test_names                           |
| F27: the log                                       | test_blocked_log; tests/test_logs                             |
| F28: slow queries                                  | test_slow_queries, test_query_plans                           |
| F29: wrong settings                                | test_configuration; tests/test_settings, tests/cli/test_check |
| F30: taken, and never delivered                    | test_retries                                                  |
"""
