// An unchanged RocketMQ client for Node (ali-ons) against a group of three nodes: the leader is killed, and
// followers are read from.
'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const { after, before, test } = require('node:test');
const { Cluster } = require('./cluster');
const { Message, closeHiddenProducer, sleep, startConsumer, startProducer, until } = require('./clients');

// How soon the client asks for routes again by itself; its own default is 30 s.
const ROUTE_INTERVAL_MS = 1000;

let cluster;

before(async () => {
  cluster = await Cluster.start();
  await cluster.createTopic('e2e-failover');
});

after(async () => {
  await closeHiddenProducer();
  await cluster.stop();
});

test('nothing answered is lost when the leader is killed under an unchanged client', async () => {
  const producer = await startProducer(cluster, { pollNameServerInteval: ROUTE_INTERVAL_MS });
  const consumer = await startConsumer(cluster, {
    group: 'CID_e2e_failover', topic: 'e2e-failover', pollNameServerInteval: ROUTE_INTERVAL_MS,
  });
  const answered = [];
  let refused = 0;
  let longestGap = 0;
  let lastAnswer = Date.now();
  let sending = true;
  const sender = (async () => {
    for (let i = 0; sending; ++i) {
      try {
        const result = await producer.send(new Message('e2e-failover', 'TagA', `message-${i}`));
        assert.strictEqual(result.sendStatus, 'SEND_OK');
        answered.push(`message-${i}`);
        longestGap = Math.max(longestGap, Date.now() - lastAnswer);
        lastAnswer = Date.now();
      } catch (error) {
        ++refused;
        await sleep(20);
      }
    }
  })();
  await until(() => answered.length >= 200, 'the first sends');
  const before = answered.length;
  const killed = await cluster.leader();
  await killed.kill();
  await until(() => answered.length >= before + 200, () => `sends after the kill, ${refused} refused so far`);
  await killed.restart();
  sending = false;
  await sender;
  console.log(`${answered.length} answered, ${refused} not; longest gap ${longestGap} ms`);

  const got = () => new Set(consumer.bodies());
  await until(() => answered.every(body => got().has(body)),
    () => `${answered.filter(body => !got().has(body)).length} of ${answered.length} answered messages`);
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
