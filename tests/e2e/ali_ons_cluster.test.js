// An unchanged RocketMQ client for Node (ali-ons) against a group of three nodes: the leader is killed, and
// frozen, and followers are read from.
'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const { after, before, test } = require('node:test');
const { Cluster } = require('./cluster');
const { Message, closeHiddenProducer, sleep, startConsumer, startProducer, until } = require('./clients');

// How soon the client asks for routes again by itself; its own default is 30 s.
const ROUTE_INTERVAL_MS = 1000;
const MOST_ERRORS_AFTER_THAW = 10; // what was on its way; a stale route would give one in 20 ms
// Without an answer, when the leader is frozen. The client itself gives a send up after 3 s and asks for routes
// every second; the rest is for a machine with other things to do.
const LONGEST_GAP_MS = 15000;

let cluster;
let senders = 0;

before(async () => {
  cluster = await Cluster.start();
  await cluster.createTopic('e2e-failover');
});

after(async () => {
  await closeHiddenProducer();
  await cluster.stop();
});

// One message after the other, until stop(): which were answered, how many were not, and the longest time
// between two answers.
function sendSteadily(producer) {
  const answered = [];
  const state = { refused: 0, longestGap: 0 };
  const name = `message-${++senders}`;
  let lastAnswer = Date.now();
  let sending = true;
  const sender = (async () => {
    for (let i = 0; sending; ++i) {
      try {
        const result = await producer.send(new Message('e2e-failover', 'TagA', `${name}-${i}`));
        assert.strictEqual(result.sendStatus, 'SEND_OK');
        answered.push(`${name}-${i}`);
        state.longestGap = Math.max(state.longestGap, Date.now() - lastAnswer);
        lastAnswer = Date.now();
      } catch (error) {
        ++state.refused;
        await sleep(20);
      }
    }
  })();
  const stop = async () => {
    sending = false;
    await sender;
  };
  return { answered, state, stop };
}

async function untilAllCame(consumer, answered) {
  const missing = () => {
    const got = new Set(consumer.bodies());
    return answered.filter(body => !got.has(body)).length;
  };
  await until(() => missing() === 0, () => `${missing()} of ${answered.length} answered messages`);
}

test('nothing answered is lost when the leader is killed under an unchanged client', async () => {
  const producer = await startProducer(cluster, { pollNameServerInteval: ROUTE_INTERVAL_MS });
  const consumer = await startConsumer(cluster, {
    group: 'CID_e2e_failover', topic: 'e2e-failover', pollNameServerInteval: ROUTE_INTERVAL_MS,
  });
  const { answered, state, stop } = sendSteadily(producer);
  await until(() => answered.length >= 200, 'the first sends');
  const before = answered.length;
  const killed = await cluster.leader();
  await killed.kill();
  await until(() => answered.length >= before + 200, () => `sends after the kill, ${state.refused} refused so far`);
  await killed.restart();
  await stop();
  console.log(`${answered.length} answered, ${state.refused} not; longest gap ${state.longestGap} ms`);
  await untilAllCame(consumer, answered);
  await consumer.close();
  await producer.close();
});

// The node that was frozen has been asked for routes meanwhile, and must not answer with what it knew then.
test('a frozen leader costs an unchanged client a gap, and nothing when it thaws', async () => {
  const producer = await startProducer(cluster, { pollNameServerInteval: ROUTE_INTERVAL_MS });
  const consumer = await startConsumer(cluster, {
    group: 'CID_e2e_frozen', topic: 'e2e-failover', pollNameServerInteval: ROUTE_INTERVAL_MS,
  });
  const { answered, state, stop } = sendSteadily(producer);
  await until(() => answered.length >= 200, 'the first sends');
  const frozen = await cluster.leader();
  frozen.child.kill('SIGSTOP');
  try {
    // Answers that were on their way come all the same; whoever is frozen is not replaced in less than a second.
    await until(() => state.longestGap > 500, () => `a send after the freeze, ${state.refused} refused so far`);
    const before = answered.length;
    await until(() => answered.length >= before + 300, () => `sends to the next leader, ${state.refused} refused so far`);
    state.refused = 0;
    await until(() => answered.length >= before + 500, 'more of them');
    assert.strictEqual(state.refused, 0, 'errors after the gap');
  } finally {
    frozen.child.kill('SIGCONT');
  }
  const before = answered.length;
  await until(() => answered.length >= before + 200, 'sends after the thaw');
  await stop();
  console.log(`${answered.length} answered; longest gap ${state.longestGap} ms, ${state.refused} errors after the thaw`);
  assert(state.longestGap < LONGEST_GAP_MS, `no answer for ${state.longestGap} ms`);
  assert(state.refused < MOST_ERRORS_AFTER_THAW, `${state.refused} errors after the thaw`);
  await untilAllCame(consumer, answered);
  await consumer.close();
  await producer.close();
});

test('an unchanged client reads a backlog from followers', async () => {
  const COUNT = 1500;
  const group = await Cluster.start([ '--slaveReadEnable=true', '--entryCacheBytes=1M' ]);
  try {
    await group.createTopic('e2e-backlog');
    execFileSync(group.nodes[0].binary,
      [ 'send', 'e2e-backlog', '--size', '3000', '--count', String(COUNT), '--namesrv', group.nameServer ]);
    const leader = await group.leader();
    const consumer = await startConsumer(group, { group: 'CID_e2e_backlog', topic: 'e2e-backlog' });
    const ids = () => new Set(consumer.messages.map(message => message.id)).size;
    await until(() => ids() === COUNT, () => `${COUNT} messages, ${ids()} came`);
    await consumer.close();
    const served = await Promise.all(group.nodes.map(async node => (await group.status(node)).messages_got));
    console.log(`messages from each node: ${served}`);
    const byFollowers = served.filter((_, i) => group.nodes[i] !== leader).reduce((sum, one) => sum + one, 0);
    assert(byFollowers > COUNT / 10, `only ${byFollowers} messages came from followers`);
  } finally {
    await group.stop();
  }
});
