// A push consumer at a fake broker, and a listener that remembers.
#pragma once

#include "client/push_consumer.hpp"
#include "tests/client/fake_broker.hpp"

#include <condition_variable>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace holdfast::client::testing {

// What listeners saw, with a way to wait for it.
class seen_messages {
  public:
    void add(const delivery& one) {
        const std::lock_guard lock{mutex_};
        bodies_.emplace_back(one.body());
        times_[std::string{one.body()}].push_back(one.reconsume_times());
        changed_.notify_all();
    }
    bool wait_for(std::size_t count) {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, std::chrono::seconds{10}, [&] { return bodies_.size() >= count; });
    }
    [[nodiscard]] std::vector<std::string> bodies() const {
        const std::lock_guard lock{mutex_};
        return bodies_;
    }
    [[nodiscard]] std::map<std::string, std::vector<std::uint32_t>> times() const {
        const std::lock_guard lock{mutex_};
        return times_;
    }

  private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> bodies_;
    std::map<std::string, std::vector<std::uint32_t>> times_;
};

class consumer_at_a_fake : public ::testing::Test {
  protected:
    push_consumer_options options() const {
        push_consumer_options all;
        all.client.name_servers = broker_->address();
        all.client.reconnect_first = std::chrono::milliseconds{5};
        all.client.reconnect_most = std::chrono::milliseconds{20};
        all.client.request_timeout = std::chrono::milliseconds{2'000};
        all.group = "G";
        all.listener_threads = 2;
        all.poll_timeout = std::chrono::milliseconds{200};
        all.pull_error_delay = std::chrono::milliseconds{20};
        all.retry_first = std::chrono::milliseconds{5};
        all.retry_most = std::chrono::milliseconds{20};
        all.commit_interval = std::chrono::milliseconds{20};
        all.on_trouble = [this](const error& what) {
            const std::lock_guard lock{trouble_mutex_};
            troubles_.push_back(what.message);
        };
        return all;
    }
    std::unique_ptr<push_consumer> consume(push_consumer_options with, std::function<void(delivery)> listener,
                                           std::string_view expression = "*") {
        auto consumer = std::make_unique<push_consumer>(std::move(with));
        EXPECT_TRUE(consumer->subscribe("T", expression).ok());
        const auto started = consumer->start(std::move(listener));
        EXPECT_TRUE(started.ok()) << (started.ok() ? "" : started.failure().message);
        return consumer;
    }
    // Acknowledges everything.
    std::unique_ptr<push_consumer> consume(push_consumer_options with, std::string_view expression = "*") {
        return consume(
            std::move(with),
            [this](delivery one) {
                seen_.add(one);
                one.ack();
            },
            expression);
    }
    bool wait_committed(std::uint32_t queue, std::int64_t offset) {
        return broker_->wait_until([&] { return broker_->committed("G", "T", queue) == offset; });
    }
    [[nodiscard]] std::vector<std::string> troubles() const {
        const std::lock_guard lock{trouble_mutex_};
        return troubles_;
    }

    mutable std::mutex trouble_mutex_;
    mutable std::vector<std::string> troubles_;
    seen_messages seen_;
    std::unique_ptr<fake_broker> broker_ = std::make_unique<fake_broker>();
};

} // namespace holdfast::client::testing
