// The one broker that the tests of a binary share, and brokers of their own for those that kill it.
#pragma once

#include "tests/e2e/wire_client.hpp"
#include "tests/support/broker_process.hpp"

#include <memory>
#include <string>
#include <vector>

namespace holdfast::e2e {

// Started before the first test, ended politely after the last one, with exit status 0.
testing::broker_process& shared_broker();

// A broker over a data folder of its own, which can be killed and started again on the same ports.
class own_broker {
  public:
    explicit own_broker(std::vector<std::string> settings = {});

    testing::broker_process& operator*() { return *process_; }
    testing::broker_process* operator->() { return process_.get(); }
    void kill() { process_->kill(); }
    // Over the same folder, on the same ports.
    void restart();

  private:
    void start();

    testing::temporary_directory folder_;
    std::vector<std::string> settings_;
    bool restarted_ = false; // the ports are among the settings
    std::unique_ptr<testing::broker_process> process_;
};

// The name of a new topic with that many queues; `permission` as in protocol reference 3.1.
std::string new_topic(const testing::broker_process& broker, std::int32_t queues = 1,
                      std::int32_t permission = 6);
// A name that no test has used yet.
std::string new_name(const std::string& prefix);

} // namespace holdfast::e2e
