// ali-ons, unchanged, as an application would use it: only the waiting is ours.
'use strict';

// Its timers (heartbeats every 30 s and the like) can't be stopped; they shall not keep a finished test alive.
const LONG_TIMER_MS = 500;
const setTimer = global.setTimeout;
global.setTimeout = (run, milliseconds, ...rest) => {
  const timer = setTimer(run, milliseconds, ...rest);
  return milliseconds >= LONG_TIMER_MS ? timer.unref() : timer;
};

const load = () => {
  try {
    return require('ali-ons');
  } catch (error) {
    throw new Error('the npm client ali-ons is not installed: run `scripts/setup test`. It needs the npm registry ' +
      '(npm config get registry) once; without network, copy tests/e2e/node_modules from a machine that has it. ' +
      error.message);
  }
};
const { Consumer, Message, Producer } = load();

const PATIENCE_MS = 25_000;
const POLL_MS = 20;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

const sleep = milliseconds => new Promise(resolve => setTimer(resolve, milliseconds));

async function until(holds, what) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!await holds()) {
    if (Date.now() > deadline) {
      throw new Error(`waited in vain for ${typeof what === 'function' ? what() : what}`);
    }
    await sleep(POLL_MS);
  }
}

// Every client under a name of its own: clients of one name share their connections.
let clients = 0;

const options = (broker, more) => ({
  accessKeyId: 'fake',
  accessKeySecret: 'fake',
  nameSrv: broker.nameServer.split(';'),
  // Only asked when the name servers come from a web address.
  httpclient: { request: async () => { throw new Error('nobody should be asked for name servers'); } },
  instanceName: `e2e-${process.pid}-${++clients}`,
  clientIP: '127.0.0.1',
  logger: silent,
  ...more,
});

// Connections that a killed broker breaks, a retry topic that has no route before the first heartbeat. What the
// client makes of them is what the tests look at.
const ignoreErrors = () => {};

async function startProducer(broker, more = {}) {
  const producer = new Producer(options(broker, { producerGroup: 'PID_e2e', ...more }));
  producer.on('error', ignoreErrors);
  await producer.ready();
  // The client keeps a hidden producer, for retries.
  Producer.defaultProducer.on('error', ignoreErrors);
  return producer;
}

// A consumer that keeps what it got: `messages`, in order of arrival.
// `process` may throw: the client then sends the message back.
async function startConsumer(broker, { group, topic, tags = '*', process: work = () => {}, ...more }) {
  const consumer = new Consumer(options(broker, {
    consumerGroup: group,
    consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
    pullTimeDelayMillsWhenException: 500,
    rebalanceInterval: 1000,
    ...more,
  }));
  consumer.on('error', ignoreErrors);
  const messages = [];
  consumer.subscribe(topic, tags, async message => {
    messages.push({
      id: message.msgId,
      body: message.body.toString(),
      tags: message.tags,
      keys: message.keys,
      color: message.properties.color,
      reconsumeTimes: message.reconsumeTimes,
    });
    work(message);
  });
  await consumer.ready();
  return { messages, bodies: () => messages.map(message => message.body), close: () => consumer.close() };
}

// Nothing else closes the hidden producer.
async function closeHiddenProducer() {
  await Producer.defaultProducer.close();
}

module.exports = { Message, closeHiddenProducer, sleep, startConsumer, startProducer, until };
