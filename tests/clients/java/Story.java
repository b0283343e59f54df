// The life of a job, told by the proxy that wsimport has made: one JSON object a line. What to do is in the environment.

import client.*;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import javax.xml.namespace.QName;
import javax.xml.soap.Node;
import javax.xml.ws.BindingProvider;
import javax.xml.ws.handler.Handler;
import javax.xml.ws.handler.MessageContext;
import javax.xml.ws.handler.soap.SOAPHandler;
import javax.xml.ws.handler.soap.SOAPMessageContext;
import javax.xml.ws.soap.SOAPFaultException;

public class Story {
    static final ObjectFactory make = new ObjectFactory();
    static final PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    static ISchedulingService service;

    /** Notes the envelope that is sent. */
    static class Recorder implements SOAPHandler<SOAPMessageContext> {
        String sent;

        public boolean handleMessage(SOAPMessageContext context) {
            if ((Boolean) context.get(MessageContext.MESSAGE_OUTBOUND_PROPERTY)) {
                try {
                    var bytes = new ByteArrayOutputStream();
                    context.getMessage().writeTo(bytes);
                    sent = bytes.toString(StandardCharsets.UTF_8);
                } catch (Exception error) {
                    throw new IllegalStateException(error);
                }
            }
            return true;
        }

        public boolean handleFault(SOAPMessageContext context) { return true; }
        public void close(MessageContext context) {}
        public Set<QName> getHeaders() { return Set.of(); }
    }

    static String given(String name) {
        return System.getenv("GIVEN_" + name.toUpperCase());
    }

    static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n").replace("\r", "\\r") + '"';
    }

    static void tell(String what, String json) {
        out.println("{" + quoted(what) + ": " + json + "}");
    }

    static String list(List<String> texts) {
        return texts.stream().map(Story::quoted).collect(Collectors.joining(", ", "[", "]"));
    }

    static ISchedulingService connect(String login, String password, Handler<?>... handlers) throws Exception {
        var found = new SchedulingService(new URL(given("wsdl")));
        var port = given("version").equals("1.2")
            ? found.getCustomBindingISchedulingService() : found.getBasicHttpBindingISchedulingService();
        var provider = (BindingProvider) port;
        provider.getRequestContext().put(BindingProvider.USERNAME_PROPERTY, login);
        provider.getRequestContext().put(BindingProvider.PASSWORD_PROPERTY, password);
        provider.getBinding().setHandlerChain(Arrays.asList(handlers));
        return port;
    }

    static String schedule(String whatId, String description, ParameterContainer... parameters) {
        var what = make.createJobWhat();
        what.setID(make.createJobWhatID(whatId));
        what.setType(JobWhatType.MODULE);
        var who = make.createJobWho();
        who.setID(make.createJobWhoID(given("agent")));
        who.setType(JobWhoType.AGENT);
        var when = make.createJobWhen();
        when.setImmediate(true);

        var whatList = make.createArrayOfJobWhat();
        whatList.getJobWhat().add(what);
        var whoList = make.createArrayOfJobWho();
        whoList.getJobWho().add(who);
        var containers = make.createArrayOfParameterContainer();
        containers.getParameterContainer().addAll(Arrays.asList(parameters));
        var job = make.createJob();
        job.setDescription(make.createJobDescription(description));
        job.setParameters(make.createJobParameters(containers));
        job.setWhat(make.createJobWhat(whatList));
        job.setWhen(make.createJobWhen(when));
        job.setWho(make.createJobWho(whoList));
        return service.scheduleJob(job).getJobID().getValue();
    }

    static Job waitWhile(String jobId, JobStatusType... states) throws InterruptedException {
        for (;;) {
            var job = service.getJob(jobId);
            if (!Arrays.asList(states).contains(job.getStatus().getValue().getType())) return job;
            Thread.sleep(50);
        }
    }

    public static void main(String[] arguments) throws Exception {
        try {
            connect(given("mistaken"), "wrong").getModules();
        } catch (Exception refused) {
            tell("refused", quoted(refused.getMessage()));
        }
        var recorder = new Recorder();
        service = connect(given("login"), given("password"), recorder);
        tell("modules", list(service.getModules().getJobWhat().stream().map(what -> what.getName().getValue()).toList()));

        var parameters = service.getInputParameters(JobWhatType.MODULE, given("count"));
        parameters.getJobParameters().getValue().getJobParameter().get(0)
            .setValue1(make.createJobParameterValue1(given("text")));
        var counts = schedule(given("count"), given("text"), parameters);
        tell("sent", quoted(recorder.sent));
        tell("scheduled", quoted(counts));
        var page = service.getJobs(JobStage.ALL, null, null, null, null);
        tell("listed", list(page.getItems().getValue().getJob().stream().map(job -> job.getJobID().getValue()).toList()));
        var job = waitWhile(counts, JobStatusType.SCHEDULED, JobStatusType.ACTIVE);
        var state = job.getStatus().getValue().getType().value();
        tell("ended", "{\"description\": " + quoted(job.getDescription().getValue()) + ", \"state\": " + quoted(state) + "}");
        var document = service.exportJobResults(counts, null, true).getXml().getValue();
        tell("result", quoted(new String(document, StandardCharsets.UTF_16LE)));

        var sleeps = schedule(given("sleep"), null);
        waitWhile(sleeps, JobStatusType.SCHEDULED);
        var status = make.createJobStatus();
        status.setType(JobStatusType.ABORTING);
        service.updateJobStatus(sleeps, status);
        var aborted = waitWhile(sleeps, JobStatusType.ACTIVE, JobStatusType.ABORTING);
        tell("aborted", quoted(aborted.getStatus().getValue().getType().value()));

        try {
            service.getJob(given("unknown"));
        } catch (SOAPFaultException error) {
            var fault = error.getFault();
            var types = fault.getDetail().getElementsByTagNameNS("*", "Type");
            tell("fault", "{\"code\": " + quoted(fault.getFaultCode()) + ", \"text\": " + quoted(fault.getFaultString())
                + ", \"type\": " + quoted(((Node) types.item(0)).getValue()) + "}");
        }
    }
}
