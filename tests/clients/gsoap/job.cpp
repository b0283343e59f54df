// The life of a job, told by the proxy that gSOAP has made: one JSON object a line. What to do is in the environment.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <set>
#include <string>

#include "BasicHttpBinding_USCOREISchedulingService.nsmap"
#include "soapBasicHttpBinding_USCOREISchedulingServiceProxy.h"

using std::string;
using States = std::set<api__JobStatusType>;

static BasicHttpBinding_USCOREISchedulingServiceProxy service(SOAP_C_UTFSTRING);
static decltype(soap::fsend) send_on;
static string sent;

static string given(string name) {
    for (auto &letter : name) letter = static_cast<char>(toupper(letter));
    return getenv(("GIVEN_" + name).c_str());
}

static string quoted(const string &text) {
    string result = "\"";
    for (char letter : text) {
        if (letter == '"' || letter == '\\') result += '\\';
        if (letter == '\n') result += "\\n";
        else if (letter == '\r') result += "\\r";
        else result += letter;
    }
    return result + '"';
}

static void tell(const string &what, const string &json) {
    std::cout << "{" << quoted(what) << ": " << json << "}" << std::endl;
}

// JSON of the texts that text_of finds in items.
template <class Items, class TextOf> static string list(const Items &items, TextOf text_of) {
    string result;
    for (auto *item : items) result += (result.empty() ? "" : ", ") + quoted(text_of(item));
    return "[" + result + "]";
}

static int record(soap *soap, const char *data, size_t length) {
    sent.append(data, length);
    return send_on(soap, data, length);
}

// gSOAP logs in for one call only.
static void log_in(const string &login, const string &password) {
    sent.clear();
    service.soap->userid = soap_strdup(service.soap, login.c_str());
    service.soap->passwd = soap_strdup(service.soap, password.c_str());
}

// Makes a call that must not fail, and returns its answer.
template <class Answer, class Request>
static Answer call(int (decltype(service)::*operation)(Request *, Answer &), Request &request) {
    Answer answer;
    log_in(given("login"), given("password"));
    if ((service.*operation)(&request, answer)) {
        service.soap_stream_fault(std::cerr);
        exit(1);
    }
    return answer;
}

static string schedule(string what_id, string *description, api__ParameterContainer *container) {
    string agent = given("agent");
    bool yes = true;
    api__JobWhatType module = api__JobWhatType__Module;
    api__JobWhoType is_agent = api__JobWhoType__Agent;
    api__JobWhat what;
    what.ID = &what_id;
    what.Type = &module;
    api__JobWho who;
    who.ID = &agent;
    who.Type = &is_agent;
    api__JobWhen when;
    when.Immediate = &yes;
    api__ArrayOfJobWhat what_list;
    what_list.JobWhat.push_back(&what);
    api__ArrayOfJobWho who_list;
    who_list.JobWho.push_back(&who);
    api__ArrayOfParameterContainer containers;
    if (container) containers.ParameterContainer.push_back(container);
    api__Job job;
    job.Description = description;
    job.Parameters = &containers;
    job.What = &what_list;
    job.When = &when;
    job.Who = &who_list;
    _tempuri__ScheduleJob request;
    request.job = &job;
    return *call<_tempuri__ScheduleJobResponse>(&decltype(service)::ScheduleJob, request).ScheduleJobResult->JobID;
}

static api__Job *wait_while(string job_id, const States &states) {
    _tempuri__GetJob request;
    request.jobId = &job_id;
    for (;;) {
        api__Job *job = call<_tempuri__GetJobResponse>(&decltype(service)::GetJob, request).GetJobResult;
        if (!states.count(*job->Status->Type)) return job;
        usleep(50'000);
    }
}

static string state_of(const api__Job *job) { return soap_api__JobStatusType2s(service.soap, *job->Status->Type); }

static void tell_of_a_job_that_ends() {
    api__JobWhatType module = api__JobWhatType__Module;
    string count = given("count"), text = given("text");
    _tempuri__GetInputParameters inputs;
    inputs.whatType = &module;
    inputs.whatId = &count;
    auto *container = call<_tempuri__GetInputParametersResponse>(&decltype(service)::GetInputParameters, inputs)
                          .GetInputParametersResult;
    container->JobParameters->JobParameter[0]->Value1 = &text;
    string counts = schedule(count, &text, container);
    tell("sent", quoted(sent.substr(sent.find("\r\n\r\n") + 4)));
    tell("scheduled", quoted(counts));

    _tempuri__GetJobs all;
    auto page = call<_tempuri__GetJobsResponse>(&decltype(service)::GetJobs, all).GetJobsResult;
    tell("listed", list(page->Items->Job, [](api__Job *job) { return *job->JobID; }));
    api__Job *job = wait_while(counts, {api__JobStatusType__Scheduled, api__JobStatusType__Active});
    tell("ended", "{\"description\": " + quoted(*job->Description) + ", \"state\": " + quoted(state_of(job)) + "}");
    bool yes = true;
    _tempuri__ExportJobResults results;
    results.jobId = &counts;
    results.includeDetailed = &yes;
    auto *found = call<_tempuri__ExportJobResultsResponse>(&decltype(service)::ExportJobResults, results)
                      .ExportJobResultsResult;
    // UTF-16 stays as it came: there is nothing in C++ to read it with.
    int size = found->Xml->__size;
    tell("base64", quoted(soap_s2base64(service.soap, found->Xml->__ptr, nullptr, size)));
}

static void tell_of_a_job_that_is_aborted() {
    string sleeps = schedule(given("sleep"), nullptr, nullptr);
    wait_while(sleeps, {api__JobStatusType__Scheduled});
    api__JobStatusType aborting = api__JobStatusType__Aborting;
    api__JobStatus status;
    status.Type = &aborting;
    _tempuri__UpdateJobStatus request;
    request.jobId = &sleeps;
    request.status = &status;
    call<_tempuri__UpdateJobStatusResponse>(&decltype(service)::UpdateJobStatus, request);
    tell("aborted", quoted(state_of(wait_while(sleeps, {api__JobStatusType__Active, api__JobStatusType__Aborting}))));
}

static void tell_of_a_fault() {
    string unknown = given("unknown");
    _tempuri__GetJob request;
    request.jobId = &unknown;
    _tempuri__GetJobResponse answer;
    log_in(given("login"), given("password"));
    service.GetJob(&request, answer);
    string text = soap_fault_string(service.soap), detail = soap_fault_detail(service.soap);
    auto start = detail.find("<Type>") + 6;
    tell("fault", "{\"code\": " + quoted(*soap_faultcode(service.soap)) + ", \"text\": " + quoted(text) + ", \"type\": " +
                      quoted(detail.substr(start, detail.find("</Type>") - start)) + "}");
}

int main() {
    string address = given("address");
    service.soap_endpoint = address.c_str();
    send_on = service.soap->fsend;
    service.soap->fsend = record;

    _tempuri__GetModules modules;
    _tempuri__GetModulesResponse refused;
    log_in(given("mistaken"), "wrong");
    tell("refused", std::to_string(service.GetModules(&modules, refused)));
    auto *what_list = call<_tempuri__GetModulesResponse>(&decltype(service)::GetModules, modules).GetModulesResult;
    tell("modules", list(what_list->JobWhat, [](api__JobWhat *what) { return *what->Name; }));
    tell_of_a_job_that_ends();
    tell_of_a_job_that_is_aborted();
    tell_of_a_fault();
}
