// The life of a job, told by node's `soap`: one JSON object a line. What to do is read as JSON.
'use strict';
const { readFileSync } = require('node:fs');
const { setTimeout: pause } = require('node:timers/promises');
const soap = require('soap');

const given = JSON.parse(readFileSync(0, 'utf8'));
const tell = (what, value) => console.log(JSON.stringify({ [what]: value }));
// It gives an element that may be repeated as an array only when it is.
const all = (found) => [].concat(found);

async function main() {
  const client = await soap.createClientAsync(given.wsdl, { forceSoap12Headers: given.version === '1.2' });
  const call = async (operation, message = {}) => (await client[`${operation}Async`](message))[0][`${operation}Result`];

  const schedule = async (job) => {
    const always = { When: { Immediate: true }, Who: { JobWho: [{ ID: given.agent, Type: 'Agent' }] } };
    return (await call('ScheduleJob', { job: { ...job, ...always } })).JobID;
  };

  const waitWhile = async (jobId, ...states) => {
    for (;;) {
      const job = await call('GetJob', { jobId });
      if (!states.includes(job.Status.Type)) return job;
      await pause(50);
    }
  };

  await call('GetModules').catch((error) => tell('refused', error.response.status));
  client.setSecurity(new soap.BasicAuthSecurity(given.login, given.password));
  tell('modules', all((await call('GetModules')).JobWhat).map((what) => what.Name));

  const parameters = await call('GetInputParameters', { whatType: 'Module', whatId: given.count });
  parameters.JobParameters.JobParameter[0].Value1 = given.text;
  const counts = await schedule({
    Description: given.text,
    Parameters: { ParameterContainer: [parameters] },
    What: { JobWhat: [{ ID: given.count, Type: 'Module' }] },
  });
  tell('sent', client.lastRequest);
  tell('scheduled', counts);
  tell('listed', all((await call('GetJobs', { stage: 'All' })).Items.Job).map((job) => job.JobID));
  const job = await waitWhile(counts, 'Scheduled', 'Active');
  // Types are known of answers only where the WSDL's prefixes can be resolved.
  tell('types', [typeof job.When.Immediate, typeof job.IsRecurring, job.Status.StartDateTime.constructor.name]);
  tell('ended', { description: job.Description, state: job.Status.Type });
  const { Xml } = await call('ExportJobResults', { jobId: counts, includeDetailed: true });
  tell('result', Buffer.from(Xml, 'base64').toString('utf16le'));

  const sleeps = await schedule({ What: { JobWhat: [{ ID: given.sleep, Type: 'Module' }] } });
  await waitWhile(sleeps, 'Scheduled');
  await call('UpdateJobStatus', { jobId: sleeps, status: { Type: 'Aborting' } });
  tell('aborted', (await waitWhile(sleeps, 'Active', 'Aborting')).Status.Type);

  await call('GetJob', { jobId: given.unknown }).catch((error) => {
    const { Fault: fault } = error.root.Envelope.Body;
    const { ExceptionDetail: detail } = fault.detail ?? fault.Detail;
    tell('fault', { code: fault.faultcode ?? fault.Code.Value, text: error.message, type: detail.Type });
  });
}

main();
