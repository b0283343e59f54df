/* The peer: a gSOAP server over the contract's WSDL, a thread for each connection, with one durable row of SQLite
   for a job. Usage: soap_peer PORT DATABASE; bench/peers/soap.py builds it. */
#include "soapH.h"
#include BENCH_NSMAP
#include <pthread.h>
#include <sqlite3.h>
#include <sys/random.h>

static const char *path;
static __thread sqlite3 *db;
static __thread sqlite3_stmt *insert, *find;

/* A server that cannot store what it is told to is no peer: it ends, and with it the figure. */
static void open_db(void) {
  if (db) return;
  if (sqlite3_open(path, &db) || sqlite3_busy_timeout(db, 60000) ||
      sqlite3_exec(db, "PRAGMA synchronous=FULL", 0, 0, 0) ||
      sqlite3_prepare_v2(db, "INSERT INTO job VALUES (?, ?, ?, datetime('now'))", -1, &insert, 0) ||
      sqlite3_prepare_v2(db, "SELECT description, content FROM job WHERE id = ?", -1, &find, 0)) {
    fprintf(stderr, "%s: %s\n", path, sqlite3_errmsg(db));
    exit(1);
  }
}

static char *new_id(struct soap *soap) {
  unsigned char d[16];
  char *id = soap_malloc(soap, 39);
  getrandom(d, sizeof d, 0);
  sprintf(id, "{%02X%02X%02X%02X-%02X%02X-%02X%02X-%02X%02X-%02X%02X%02X%02X%02X%02X}", d[0], d[1], d[2], d[3], d[4],
          d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14], d[15]);
  return id;
}

/* The parameters as name=value lines. */
static int values_of(struct ns1__Job *job, char *text, size_t size) {
  struct ns1__ArrayOfJobParameter *all = job->Parameters->ParameterContainer[0].JobParameters;
  int length = 0, i;
  for (i = 0; i < all->__sizeJobParameter && length < (int)size - 1024; i++)
    length += snprintf(text + length, 1024, "%s=%s\n", all->JobParameter[i].Name, all->JobParameter[i].Value1);
  return length;
}

int __tempuri__ScheduleJob(struct soap *soap, struct _tempuri__ScheduleJob *call,
                           struct _tempuri__ScheduleJobResponse *answer) {
  struct ns1__Job *job = call->job;
  char text[16384];
  int length = values_of(job, text, sizeof text), done;
  open_db();
  job->JobID = new_id(soap);
  sqlite3_bind_text(insert, 1, job->JobID, -1, SQLITE_STATIC);
  sqlite3_bind_text(insert, 2, job->Description, -1, SQLITE_STATIC);
  sqlite3_bind_text(insert, 3, text, length, SQLITE_STATIC);
  done = sqlite3_step(insert);
  sqlite3_reset(insert);
  if (done != SQLITE_DONE) return soap_receiver_fault(soap, sqlite3_errmsg(db), 0);
  answer->ScheduleJobResult = job;
  return SOAP_OK;
}

#define NEW(type, name) type *name = soap_malloc(soap, sizeof *name); memset(name, 0, sizeof *name)

/* One parameter, as the job of this figure has it. */
static struct ns1__ArrayOfParameterContainer *parameters_of(struct soap *soap, char *line, char *what) {
  NEW(struct ns1__ArrayOfParameterContainer, all);
  NEW(struct ns1__ParameterContainer, container);
  NEW(struct ns1__ArrayOfJobParameter, list);
  NEW(struct ns1__JobParameter, one);
  NEW(enum ns1__JobParameterType, type);
  char *equals = strchr(line, '=');
  *equals = 0;
  *type = ns1__JobParameterType__Text;
  one->Description = one->Hint = one->Selection = one->Value2 = one->Value3 = "";
  one->Name = line, one->Value1 = strtok(equals + 1, "\n"), one->Type = type;
  list->__sizeJobParameter = 1, list->JobParameter = one;
  container->Identifier = container->JobName = "", container->JobGuid = container->TaskContainerGuid = what;
  container->TaskContainerName = "One parameter", container->JobParameters = list;
  all->__sizeParameterContainer = 1, all->ParameterContainer = container;
  return all;
}

int __tempuri__GetJob(struct soap *soap, struct _tempuri__GetJob *call, struct _tempuri__GetJobResponse *answer) {
  static enum xsd__boolean no = xsd__boolean__false_, yes = xsd__boolean__true_;
  static enum ns1__JobInvoker user = ns1__JobInvoker__InvokeUser;
  static enum ns1__JobStatusType active = ns1__JobStatusType__Active;
  static enum ns1__JobWhatType module = ns1__JobWhatType__Module;
  static enum ns1__JobWhoType agent = ns1__JobWhoType__Agent;
  static time_t started = 1767225600;
  char *id = "{B0000000-0000-4000-8000-000000000021}";
  NEW(struct ns1__Job, job);
  NEW(struct ns1__JobStatus, status);
  NEW(struct ns1__JobWhen, when);
  NEW(struct ns1__ArrayOfJobWhat, whats);
  NEW(struct ns1__JobWhat, what);
  NEW(struct ns1__ArrayOfJobWho, agents);
  NEW(struct ns1__JobWho, who);
  open_db();
  sqlite3_bind_text(find, 1, call->jobId, -1, SQLITE_STATIC);
  if (sqlite3_step(find) != SQLITE_ROW) { sqlite3_reset(find); return soap_sender_fault(soap, "no such job", 0); }
  job->Description = soap_strdup(soap, (const char *)sqlite3_column_text(find, 0));
  job->Parameters = parameters_of(soap, soap_strdup(soap, (const char *)sqlite3_column_text(find, 1)), id);
  sqlite3_reset(find);
  job->IsRecurring = job->IsRunBookJob = job->ScheduleInParallel = &no;
  job->JobID = call->jobId;
  status->JobInvoker = &user, status->JobInvokerInfo = "bench", status->Type = &active;
  status->StartDateTime = &started;
  what->Description = what->FolderName = "", what->ID = id, what->Name = "One parameter", what->Type = &module;
  whats->__sizeJobWhat = 1, whats->JobWhat = what;
  when->Immediate = &yes, when->IsLocalTime = when->OfflineAgentsNextBoot = when->UseWakeOnLAN = &no;
  when->ScheduledDateTime = &started;
  who->ID = id, who->IsLicensed = who->IsOnline = &no, who->Name = "BENCH-001", who->Type = &agent;
  agents->__sizeJobWho = 1, agents->JobWho = who;
  job->Status = status, job->What = whats, job->When = when, job->Who = agents;
  answer->GetJobResult = job;
  return SOAP_OK;
}

static void *serve(void *copy) {
  struct soap *soap = copy;
  pthread_detach(pthread_self());
  soap_serve(soap);
  soap_destroy(soap);
  soap_end(soap);
  soap_free(soap);
  if (db) sqlite3_finalize(insert), sqlite3_finalize(find), sqlite3_close(db);
  return 0;
}

int main(int count, char **words) {
  struct soap soap;
  if (count != 3) return 2;
  path = words[2];
  soap_init2(&soap, SOAP_IO_KEEPALIVE | SOAP_IO_BUFFER, SOAP_IO_KEEPALIVE | SOAP_IO_BUFFER);
  soap.max_keep_alive = 0;
  soap.bind_flags = SO_REUSEADDR;
  if (soap_bind(&soap, "127.0.0.1", atoi(words[1]), 128) < 0) return soap_print_fault(&soap, stderr), 1;
  for (;;) {
    pthread_t thread;
    int on = 1;
    if (soap_accept(&soap) < 0) continue;
    setsockopt(soap.socket, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
    pthread_create(&thread, 0, serve, soap_copy(&soap));
  }
}
