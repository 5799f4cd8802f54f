// `holdfast explain` against the real broker: one message through its stations.
#include "client/producer.hpp"
#include "client/push_consumer.hpp"
#include "client/transaction_producer.hpp"
#include "tests/e2e/shared_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <thread>

namespace holdfast::e2e {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct outcome {
    int status = -1;
    std::string text;
};

outcome explain(const std::string& words) {
    const auto line = std::string{HOLDFAST_BINARY} + " explain " + words + " -n " +
                      shared_broker().name_servers() + " 2>&1";
    std::FILE* const pipe = ::popen(line.c_str(), "r");
    outcome result;
    std::array<char, 4096> chunk;
    for (std::size_t count = 0; (count = std::fread(chunk.data(), 1, chunk.size(), pipe)) != 0;)
        result.text.append(chunk.data(), count);
    const int status = ::pclose(pipe);
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return result;
}

// Keys are found two seconds after they came, and groups commit now and then.
outcome explain_until(const std::string& words, const std::string& expected) {
    outcome last;
    for (int tries = 0; tries < 100; ++tries) {
        last = explain(words);
        if (last.text.find(expected) != std::string::npos)
            break;
        std::this_thread::sleep_for(100ms);
    }
    return last;
}

class explain_test : public ::testing::Test {
  protected:
    client::client_options client_options() const { return {.name_servers = shared_broker().name_servers()}; }
    client::send_receipt send(client::message outgoing) {
        client::producer producer{{.client = client_options()}};
        EXPECT_TRUE(producer.start().ok());
        const auto sent = producer.send(std::move(outgoing));
        EXPECT_TRUE(sent.ok());
        return sent.ok() ? sent.receipt() : client::send_receipt{};
    }
    const std::string topic_ = new_name("explain");
    const std::string key_ = new_name("key");
};

TEST_F(explain_test, a_message_is_found_by_each_of_its_names) {
    const auto sent = send({.topic = topic_, .body = "b", .tag = "T", .keys = "first-" + key_ + " " + key_});
    for (const auto& name : {key_, sent.message_id, sent.offset_message_id}) {
        const auto page = explain_until(name, sent.offset_message_id);
        EXPECT_EQ(page.status, 0) << page.text;
        EXPECT_THAT(page.text, AllOf(HasSubstr(sent.message_id), HasSubstr("topic " + topic_),
                                     HasSubstr("on the disk, committed"),
                                     HasSubstr("replicated    broker-a (flushed)\n"),
                                     HasSubstr("nobody has read this queue yet")));
    }
    EXPECT_EQ(explain(key_ + " --topic " + topic_).status, 0);
    EXPECT_EQ(explain(key_ + " --topic another").status, 1);
    EXPECT_THAT(explain(key_ + " --json").text, HasSubstr("\"standing\": \"queued\""));
    EXPECT_EQ(explain("no-such-key").status, 1);
    EXPECT_EQ(explain("").status, 2);
}

TEST_F(explain_test, of_several_messages_there_is_a_list_to_choose_from) {
    const auto first = send({.topic = topic_, .body = "1", .keys = key_});
    const auto second = send({.topic = topic_ + "-2", .body = "2", .keys = key_});
    const auto list = explain_until(key_, "2 messages match");
    EXPECT_EQ(list.status, 0);
    EXPECT_THAT(list.text, AllOf(HasSubstr(first.offset_message_id), HasSubstr(second.offset_message_id),
                                 HasSubstr("choose one")));
}

TEST_F(explain_test, an_undecided_transaction_and_its_decision_are_told) {
    client::transaction_producer_options options;
    options.sending.client = client_options();
    options.sending.group = new_name("explain-transactions");
    client::transaction_producer producer{
        options, [](const client::message_view&) { return client::transaction_decision::unknown; }};
    ASSERT_TRUE(producer.start().ok());
    client::send_receipt receipt;
    const auto sent =
        producer.send({.topic = topic_, .body = "b", .keys = key_}, [&](const client::message&,
                                                                        const client::send_receipt& half) {
            receipt = half;
            const auto page = explain_until(key_, "undecided");
            EXPECT_EQ(page.status, 0) << page.text;
            EXPECT_THAT(page.text, AllOf(HasSubstr("asked 0 times"), HasSubstr(options.sending.group)));
            return client::transaction_decision::commit;
        });
    ASSERT_TRUE(sent.half.ok());
    const auto page = explain_until(receipt.message_id, "transaction   committed");
    EXPECT_THAT(page.text, AllOf(HasSubstr("transaction   committed"), HasSubstr("asked 0 times"),
                                 HasSubstr("offset 0: queued")));
    producer.shutdown();
}

TEST_F(explain_test, a_delayed_message_waits) {
    const auto sent = send({.topic = topic_, .body = "b", .keys = key_, .deliver_after_ms = 3'600'000});
    const auto page = explain_until(key_, "delayed");
    EXPECT_EQ(page.status, 0) << page.text;
    EXPECT_THAT(page.text, AllOf(HasSubstr("delayed       until "), HasSubstr("waiting"),
                                 HasSubstr("holdfast delayed cancel " + topic_ + " ")));
}

TEST_F(explain_test, what_a_group_did_with_it_is_told) {
    const auto sent = send({.topic = topic_, .body = "b", .keys = key_});
    client::push_consumer_options options;
    options.client = client_options();
    options.group = new_name("explain-readers");
    options.from = client::consume_from::first;
    options.commit_interval = 100ms;
    client::push_consumer consumer{options};
    ASSERT_TRUE(consumer.subscribe(topic_).ok());
    std::atomic<int> deliveries{0};
    ASSERT_TRUE(consumer
                    .start([&](client::delivery one) {
                        if (deliveries++ == 0)
                            one.retry_later(1);
                        else
                            one.ack();
                    })
                    .ok());
    const auto page = explain_until(sent.offset_message_id, "sent back once");
    EXPECT_THAT(page.text, AllOf(HasSubstr("group         " + options.group + ": acknowledged"),
                                 HasSubstr("sent back once"), HasSubstr("topic %RETRY%" + options.group)));
    const auto again = explain_until(sent.offset_message_id, "offset 0: acknowledged");
    EXPECT_THAT(again.text, HasSubstr("offset 0: acknowledged"));
    consumer.shutdown(1s);
}

} // namespace
} // namespace holdfast::e2e
