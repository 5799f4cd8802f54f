// An unchanged RocketMQ client for Node (ali-ons; protocol reference 9.2) against the real broker.
'use strict';

const assert = require('node:assert');
const { after, before, test } = require('node:test');
const { Broker } = require('./broker');
const { Message, closeHiddenProducer, sleep, startConsumer, startProducer, until } = require('./clients');

let broker;
let producer;

before(async () => {
  broker = await Broker.start();
  // The client sends to existing topics only: it takes the first "no route" for an answer.
  for (const topic of [ 'e2e-all', 'e2e-tags', 'e2e-offsets', 'e2e-retry', 'e2e-delay', 'e2e-kill' ]) {
    broker.createTopic(topic);
  }
  producer = await startProducer(broker);
});

after(async () => {
  await producer.close();
  await closeHiddenProducer();
  await broker.stop();
});

const sorted = texts => [ ...texts ].sort();
const numbered = (prefix, first, last) => Array.from({ length: last - first }, (_, i) => `${prefix}-${first + i}`);

async function send(topic, body, tags = 'TagA') {
  const result = await producer.send(new Message(topic, tags, body));
  assert.strictEqual(result.sendStatus, 'SEND_OK');
  return result;
}

test('every message arrives with body, tag, keys, property and id', async () => {
  const long = 'a long body, which the client compresses; '.repeat(1000);
  const sent = [];
  for (const [ i, body ] of [ ...numbered('message', 0, 40), 'ünïcödé 消息', long ].entries()) {
    const message = new Message('e2e-all', `Tag${i % 3}`, body);
    message.keys = [ `key-${i}`, 'common' ];
    message.properties.color = 'blue';
    const result = await producer.send(message);
    assert.strictEqual(result.sendStatus, 'SEND_OK');
    assert.match(result.msgId, /^7F000001[0-9A-F]{24}$/, 'an offset message id with the broker\'s address (T4)');
    sent.push({ id: result.msgId, body, tags: `Tag${i % 3}`, keys: `key-${i} common`, color: 'blue', reconsumeTimes: 0 });
  }
  const consumer = await startConsumer(broker, { group: 'CID_e2e_all', topic: 'e2e-all' });
  await until(() => consumer.messages.length >= sent.length, () => `${consumer.messages.length} of ${sent.length}`);
  const byId = (a, b) => (a.id < b.id ? -1 : 1);
  assert.deepStrictEqual([ ...consumer.messages ].sort(byId), sent.sort(byId));
  // What is sent now wakes the held pulls.
  await send('e2e-all', 'live');
  await until(() => consumer.bodies().includes('live'), 'a message sent while the consumer waits');
  await consumer.close();
});

test('a tag filter lets its tags through and no others', async () => {
  for (const body of numbered('message', 0, 30)) {
    for (const tag of [ 'TagA', 'TagB', 'TägC' ]) {
      await send('e2e-tags', `${body}-${tag}`, tag);
    }
  }
  const wanted = numbered('message', 0, 30).flatMap(body => [ `${body}-TagA`, `${body}-TägC` ]);
  const consumer = await startConsumer(broker, { group: 'CID_e2e_tags', topic: 'e2e-tags', tags: 'TagA || TägC' });
  await until(() => consumer.messages.length >= wanted.length, () => `${consumer.messages.length} of ${wanted.length}`);
  assert.deepStrictEqual(sorted(consumer.bodies()), sorted(wanted));
  await consumer.close();
});

test('a group goes on where it was, with a new consumer and after kill -9', async () => {
  const group = 'CID_e2e_offsets';
  const topic = 'e2e-offsets';
  await Promise.all(numbered('first', 0, 40).map(body => send(topic, body)));
  const one = await startConsumer(broker, { group, topic });
  await until(() => one.messages.length >= 40, () => `${one.messages.length} of 40`);
  await one.close();

  await Promise.all(numbered('second', 0, 12).map(body => send(topic, body)));
  const two = await startConsumer(broker, { group, topic });
  await until(() => two.messages.length >= 12, () => `${two.messages.length} of 12`);
  assert.deepStrictEqual(sorted(two.bodies()), sorted(numbered('second', 0, 12)));
  await two.close();

  // Commits are oneway; the broker writes them to its log every flushConsumerOffsetInterval, here 20 ms.
  await sleep(500);
  await broker.kill();
  await broker.restart();
  await until(() => send(topic, 'third').then(() => true, () => false), 'a send after the restart');
  const three = await startConsumer(broker, { group, topic });
  await until(() => three.bodies().includes('third'), 'the message sent after the restart');
  assert.deepStrictEqual([ ...new Set(three.bodies()) ], [ 'third' ], 'nothing consumed before comes again');
  await three.close();
});

test('a message that fails comes back with its count, and at last becomes a dead letter', async () => {
  const group = 'CID_e2e_retry';
  const topic = 'e2e-retry';
  await send(topic, 'good');
  await send(topic, 'fails twice');
  await send(topic, 'never good');
  let failures = 0;
  const consumer = await startConsumer(broker, {
    group,
    topic,
    maxReconsumeTimes: 3,
    process: message => {
      const body = message.body.toString();
      if (body === 'never good' || body === 'fails twice' && failures++ < 2) {
        throw new Error('not this time');
      }
    },
  });
  const times = body => consumer.messages.filter(message => message.body === body).map(message => message.reconsumeTimes);
  await until(() => times('fails twice').length >= 3 && times('never good').length >= 4,
    () => `retries: ${times('fails twice')}, ${times('never good')}`);
  assert.deepStrictEqual(times('fails twice'), [ 0, 1, 2 ]);
  assert.deepStrictEqual(times('never good').slice(0, 4), [ 0, 1, 2, 3 ]);
  assert.deepStrictEqual(times('good'), [ 0 ]);

  // The client takes a first "no route" for an answer, and asks again after 30 s.
  await until(() => broker.topics().includes(`%DLQ%${group}`), 'the topic of dead letters');
  const undertaker = await startConsumer(broker, { group: 'CID_e2e_undertaker', topic: `%DLQ%${group}` });
  await until(() => undertaker.messages.length > 0, 'the dead letter');
  assert.deepStrictEqual(undertaker.bodies(), [ 'never good' ]);
  assert.strictEqual(undertaker.messages[0].reconsumeTimes, 4);
  await undertaker.close();
  await consumer.close();
});

test('a delayed message comes when it is due, also when the broker was killed meanwhile', async () => {
  const topic = 'e2e-delay';
  const delayed = new Message(topic, 'TagA', 'late');
  delayed.properties.DELAY = '1';
  const sentAt = Date.now();
  assert.strictEqual((await producer.send(delayed)).sendStatus, 'SEND_OK');
  await send(topic, 'at once');
  await broker.kill();
  await broker.restart();
  const arrivals = new Map();
  const consumer = await startConsumer(broker, {
    group: 'CID_e2e_delay',
    topic,
    process: message => arrivals.set(message.body.toString(), Date.now()),
  });
  await until(() => arrivals.size >= 2, () => `${[ ...arrivals.keys() ]}`);
  assert(arrivals.get('late') - sentAt >= 1000, `the delayed message took ${arrivals.get('late') - sentAt} ms`);
  await consumer.close();
});

test('kill -9 under load: clients reconnect, and all that was answered OK is consumed', async () => {
  const topic = 'e2e-kill';
  await send(topic, 'warm-up');
  const consumer = await startConsumer(broker, { group: 'CID_e2e_kill', topic });
  const answered = new Set([ 'warm-up' ]);
  let next = 0;
  let running = true;
  const senders = Array.from({ length: 8 }, async () => {
    while (running) {
      const body = `load-${next++}`;
      try {
        await send(topic, body);
        answered.add(body);
      } catch {
        await sleep(50); // no answer, so nothing is promised
      }
    }
  });
  await until(() => answered.size > 500 && consumer.messages.length > 100, 'load before the kill');
  await broker.kill();
  const before = answered.size;
  await broker.restart();
  await until(() => answered.size > before + 500, () => `answers after the restart, ${answered.size - before} so far`);
  running = false;
  await Promise.all(senders);

  const lost = () => {
    const got = new Set(consumer.bodies());
    return [ ...answered ].filter(body => !got.has(body));
  };
  await until(() => lost().length === 0, () => `${lost().length} of ${answered.size} answered messages`);
  await consumer.close();
});
