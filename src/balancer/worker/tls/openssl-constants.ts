/** Numbers of OpenSSL's headers (3.0), which are part of its binary interface. */

// <openssl/ssl.h>: SSL_CTX_ctrl and SSL_ctrl
export const CTRL_MODE = 33;
export const CTRL_SET_SESSION_CACHE_MODE = 44;
export const CTRL_SET_SERVER_NAME = 55;
export const CTRL_ADD_CHAIN_CERTIFICATE = 89;
export const CTRL_SET_GROUPS = 92;
export const CTRL_SET_MINIMUM_VERSION = 123;

export const MODE_ENABLE_PARTIAL_WRITE = 0x1;
export const MODE_ACCEPT_MOVING_WRITE_BUFFER = 0x2;
export const MODE_RELEASE_BUFFERS = 0x10;

export const OPTION_NO_COMPRESSION = 2 ** 17;
export const OPTION_PRIORITIZE_CHACHA = 2 ** 21;
export const OPTION_CIPHER_SERVER_PREFERENCE = 2 ** 22;
export const OPTION_NO_RENEGOTIATION = 2 ** 30;

export const SESSION_CACHE_OFF = 0;
export const SESSION_CACHE_CLIENT = 1;

export const VERIFY_NONE = 0;
export const VERIFY_PEER = 1;
export const VERIFY_FAIL_IF_NO_PEER_CERTIFICATE = 2;

export const ERROR_SSL = 1;
export const ERROR_WANT_READ = 2;
export const ERROR_WANT_WRITE = 3;
export const ERROR_SYSCALL = 5;
export const ERROR_ZERO_RETURN = 6;

export const SENT_SHUTDOWN = 1;
export const RECEIVED_SHUTDOWN = 2;

export const ALPN_ACCEPTED = 0;
export const ALPN_FATAL = 2;

export const TLS_1_2 = 0x0303;
export const TLS_1_3 = 0x0304;
