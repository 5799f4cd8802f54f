#include "tests/e2e/shared_broker.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace holdfast::e2e {
namespace {

// Small segments, so that a start is quick; offsets are committed soon, so that tests need not wait.
std::vector<std::string> settings_for_tests(const std::vector<std::string>& more) {
    std::vector<std::string> all{"--bindAddress=127.0.0.1", "--mappedFileSizeCommitLog=16777216"};
    const std::string offsets = "--flushConsumerOffsetInterval=";
    if (std::none_of(more.begin(), more.end(), [&](const auto& given) { return given.starts_with(offsets); }))
        all.push_back(offsets + "20");
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

std::unique_ptr<own_broker> shared; // NOLINT: lives from the environment's set-up to its tear-down

class shared_broker_environment : public ::testing::Environment {
  public:
    void SetUp() override {
        shared = std::make_unique<own_broker>();
        // Without a broker no test runs, and all fail.
        ASSERT_TRUE((*shared)->ready()) << (*shared)->log();
    }
    void TearDown() override {
        EXPECT_TRUE((*shared)->running()) << "the broker ended during the tests; its log:\n"
                                          << (*shared)->log();
        EXPECT_EQ((*shared)->terminate(patience), 0) << (*shared)->log();
        shared.reset();
    }
};

const auto* const registered = ::testing::AddGlobalTestEnvironment(new shared_broker_environment);

} // namespace

testing::broker_process& shared_broker() {
    return **shared;
}

own_broker::own_broker(std::vector<std::string> settings) : settings_(settings_for_tests(settings)) {
    start();
}

void own_broker::start() {
    process_ = std::make_unique<testing::broker_process>(
        testing::broker_options{.data = folder_.path(), .settings = settings_});
    EXPECT_TRUE(process_->ready()) << process_->log();
}

void own_broker::restart() {
    if (!restarted_) {
        settings_.push_back("--listenPort=" + std::to_string(process_->broker_port()));
        settings_.push_back("--namesrvPort=" + std::to_string(process_->name_service_port()));
    }
    restarted_ = true;
    start();
}

std::string new_topic(const testing::broker_process& broker, std::int32_t queues, std::int32_t permission) {
    const auto name = new_name("topic");
    protocol::update_topic_request request;
    request.topic = name;
    request.default_topic = "TBW102";
    request.read_queue_count = request.write_queue_count = queues;
    request.permission = permission;
    wire_client client{broker.broker_port()};
    EXPECT_EQ(client.ask(request).code(), 0);
    return name;
}

std::string new_name(const std::string& prefix) {
    static int count = 0;
    return prefix + "-" + std::to_string(++count);
}

} // namespace holdfast::e2e
