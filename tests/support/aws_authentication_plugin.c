/* AWSAuthenticationPlugin for the tests' MySQL server, so that the statements and clients of the program run unchanged.

   The client sends its IAM token through mysql_clear_password. The plugin accepts a token that names the user; it does not
   check the signature. The declarations are those of mysql/plugin.h and mysql/plugin_auth.h, whose interface versions are
   the same in MySQL 8.0 and 9: no header package is needed. */

#include <stdio.h>
#include <string.h>

struct vio {
  int (*read_packet)(struct vio *, unsigned char **);
  int (*write_packet)(struct vio *, const unsigned char *, int);
};

struct login {
  char *user_name;
  unsigned int user_name_length;
};

struct authentication {
  int interface_version;
  const char *client_plugin;
  int (*authenticate)(struct vio *, struct login *);
  int (*generate)(char *, unsigned int *, const char *, unsigned int);
  int (*validate)(char *, unsigned int);
  int (*set_salt)(const char *, unsigned int, unsigned char *, unsigned char *);
  unsigned long flags;
  int (*compare)(const char *, unsigned long, const char *, unsigned long, int *);
};

struct plugin {
  int type;
  void *information;
  const char *name, *author, *description;
  int license;
  int (*start)(void *), (*check_uninstall)(void *), (*stop)(void *);
  unsigned int version;
  void *status_variables, *system_variables, *reserved;
  unsigned long flags;
};

static int authenticate(struct vio *vio, struct login *login) {
  unsigned char *token;
  char wanted[160];
  int length = vio->read_packet(vio, &token);
  if (length <= 0 || token[length - 1] != 0) return 0; /* CR_ERROR */
  snprintf(wanted, sizeof wanted, "Action=connect&DBUser=%.*s&", (int)login->user_name_length, login->user_name);
  return strstr((char *)token, wanted) ? -1 : 0; /* CR_OK or CR_ERROR */
}

static int generate(char *out, unsigned int *size, const char *in, unsigned int length) {
  if (*size < length) return 1;
  memcpy(out, in, length);
  *size = length;
  return 0;
}

static int validate(char *text, unsigned int length) { return !(length == 3 && memcmp(text, "RDS", 3) == 0); }

static int set_salt(const char *in, unsigned int length, unsigned char *out, unsigned char *size) {
  (void)in, (void)length, (void)out;
  *size = 0;
  return 0;
}

static struct authentication handler = {0x0201, "mysql_clear_password", authenticate, generate, validate, set_salt, 0, NULL};

int _mysql_plugin_interface_version_ = 0x010B;
int _mysql_sizeof_struct_st_plugin_ = sizeof(struct plugin);
struct plugin _mysql_plugin_declarations_[] = {
    {7, &handler, "AWSAuthenticationPlugin", "aurora-global-database", "IAM tokens", 1, NULL, NULL, NULL, 0x0100, NULL, NULL, NULL, 0},
    {0},
};
