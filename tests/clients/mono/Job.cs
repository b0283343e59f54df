// The life of a job, told by the proxy that Mono's svcutil has made: one JSON object a line. What to do is read as JSON.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.ServiceModel;
using System.ServiceModel.Channels;
using System.ServiceModel.Description;
using System.ServiceModel.Dispatcher;
using System.Text;
using System.Threading;
using System.Web.Script.Serialization;
using Dispatcher.WebApi;

// Notes the envelope that is sent.
class Recorder : IEndpointBehavior, IClientMessageInspector {
    public string Sent;

    public object BeforeSendRequest(ref Message request, IClientChannel channel) {
        var copy = request.CreateBufferedCopy(int.MaxValue);
        Sent = copy.CreateMessage().ToString();
        request = copy.CreateMessage();
        return null;
    }

    public void AfterReceiveReply(ref Message reply, object state) {}
    public void AddBindingParameters(ServiceEndpoint endpoint, BindingParameterCollection parameters) {}
    public void ApplyClientBehavior(ServiceEndpoint endpoint, ClientRuntime runtime) { runtime.MessageInspectors.Add(this); }
    public void ApplyDispatchBehavior(ServiceEndpoint endpoint, EndpointDispatcher dispatcher) {}
    public void Validate(ServiceEndpoint endpoint) {}
}

static class Story {
    static readonly JavaScriptSerializer json = new JavaScriptSerializer();
    static Dictionary<string, string> given;
    static SchedulingServiceClient service;

    static void Tell(string what, object value) {
        Console.WriteLine(json.Serialize(new Dictionary<string, object> {{what, value}}));
    }

    static SchedulingServiceClient Connect(string login, string password) {
        var binding = new BasicHttpBinding(BasicHttpSecurityMode.TransportCredentialOnly) {MaxReceivedMessageSize = 1 << 24};
        binding.Security.Transport.ClientCredentialType = HttpClientCredentialType.Basic;
        binding.ReaderQuotas.MaxArrayLength = 1 << 24;
        var client = new SchedulingServiceClient(binding, new EndpointAddress(given["address"]));
        client.ClientCredentials.UserName.UserName = login;
        client.ClientCredentials.UserName.Password = password;
        return client;
    }

    static string Schedule(string what, string description = null, params ParameterContainer[] parameters) {
        return service.ScheduleJob(new Job {
            Description = description,
            Parameters = parameters,
            What = new[] {new JobWhat {ID = what, Type = JobWhatType.Module}},
            When = new JobWhen {Immediate = true},
            Who = new[] {new JobWho {ID = given["agent"], Type = JobWhoType.Agent}},
        }).JobID;
    }

    static Job WaitWhile(string jobId, params JobStatusType[] states) {
        for (;;) {
            var job = service.GetJob(jobId);
            if (!states.Contains(job.Status.Type)) return job;
            Thread.Sleep(50);
        }
    }

    static void Main() {
        Console.OutputEncoding = new UTF8Encoding(false);
        var input = new StreamReader(Console.OpenStandardInput(), Encoding.UTF8).ReadToEnd();
        given = json.Deserialize<Dictionary<string, string>>(input);
        try {
            Connect(given["mistaken"], "wrong").GetModules();
        } catch (Exception refused) {
            Tell("refused", refused.Message);
        }
        service = Connect(given["login"], given["password"]);
        var recorder = new Recorder();
        service.Endpoint.Behaviors.Add(recorder);
        Tell("modules", service.GetModules().Select(what => what.Name));

        var parameters = service.GetInputParameters(JobWhatType.Module, given["count"]);
        parameters.JobParameters[0].Value1 = given["text"];
        var counts = Schedule(given["count"], given["text"], parameters);
        Tell("sent", recorder.Sent);
        Tell("scheduled", counts);
        Tell("listed", service.GetJobs(JobStage.All, false, false, 1, 500).Items.Select(one => one.JobID));
        var job = WaitWhile(counts, JobStatusType.Scheduled, JobStatusType.Active);
        Tell("ended", new {description = job.Description, state = job.Status.Type.ToString()});
        Tell("result", Encoding.Unicode.GetString(service.ExportJobResults(counts, false, true).Xml));

        var sleeps = Schedule(given["sleep"]);
        WaitWhile(sleeps, JobStatusType.Scheduled);
        service.UpdateJobStatus(sleeps, new JobStatus {Type = JobStatusType.Aborting});
        Tell("aborted", WaitWhile(sleeps, JobStatusType.Active, JobStatusType.Aborting).Status.Type.ToString());

        try {
            service.GetJob(given["unknown"]);
        } catch (FaultException<ExceptionDetail> fault) {
            Tell("fault", new {code = "s:" + fault.Code.Name, text = fault.Message, type = fault.Detail.Type});
        }
    }
}
