// A broker for tests of what is delivered later: retry service and delay scheduler around the real log, whose
// records are read from the cache.
#pragma once

#include "actors/delay_scheduler.hpp"
#include "actors/retry_service.hpp"
#include "tests/actors/fixture.hpp"

#include "protocol/message_id.hpp"
#include "storage/log_reader.hpp"
#include "storage/posix_file_system.hpp"
#include "storage/segment_set.hpp"

namespace holdfast::actors::testing {

using protocol::response_code;

constexpr auto code_of(response_code code) {
    return static_cast<std::int32_t>(code);
}

class deliveries : public actor_fixture {
  protected:
    deliveries() {
        auto opened = storage::segment_set::open(files_, (folder_.path() / "commitlog").string(), {});
        HOLDFAST_CHECK(opened.ok());
        segments_ = std::move(*opened);
        reader_.emplace(*segments_, cache);
    }
    // The two read from what ends here.
    ~deliveries() override {
        caf::anon_send_exit(environment->retries, caf::exit_reason::kill);
        caf::anon_send_exit(environment->delays, caf::exit_reason::kill);
        settle();
    }
    // A leader with the topic T and the consumer group "workers".
    void set_up() {
        environment->reader = &*reader_;
        lead();
        make_topic("T");
        make_topic("%RETRY%workers", 1);
        make_group("workers");
        environment->retries =
            system().spawn(retry_service, std::shared_ptr<const session_environment>{environment});
        environment->delays =
            system().spawn(delay_scheduler, std::shared_ptr<const session_environment>{environment});
        track(environment->retries);
        track(environment->delays);
        settle();
    }
    template <class Service>
    void ask(const Service& service, const fake_connection_ptr& from, incoming frames) {
        caf::anon_send(service, frames_atom::value,
                       std::make_shared<const admin_job>(admin_job{from, frames.take()}));
        settle();
    }
    // The answer to a send to queue 0.
    sent_frame send(const protocol::send_message_request& request) {
        const auto connection = connect();
        deliver(producer(connection), incoming{}.send(1, request));
        flush_all();
        auto answer = connection->only();
        EXPECT_EQ(answer.code, 0) << answer.remark;
        return answer;
    }
    static log_position position_of(const sent_frame& answer) {
        const auto id = protocol::parse_message_id(answer.fields.at("msgId"));
        EXPECT_TRUE(id.ok());
        return id.ok() ? id->position : log_position{0};
    }
    // Lets time pass and the disk do its work.
    void pass(std::chrono::milliseconds time) {
        constexpr std::chrono::milliseconds step{50};
        for (; time > std::chrono::milliseconds{0}; time -= step) {
            advance(std::min(time, step));
            flush_all();
        }
    }
    // The bodies of queue 0 as a consumer sees them.
    std::vector<std::string> bodies(const std::string& topic) {
        const auto connection = connect();
        deliver(consumer(connection), incoming{}.add(3, pull_of(topic, 0)));
        std::vector<std::string> found;
        for (const auto& message : connection->only().messages())
            found.emplace_back(as_text(message.body));
        return found;
    }
    [[nodiscard]] std::size_t stored_in(const std::string& topic) const {
        return view->find_topic(topic)
                   ? static_cast<std::size_t>(view->queues().bounds(queue_of(topic)).last.value())
                   : 0;
    }

  private:
    storage::testing::temporary_directory folder_;
    storage::posix_file_system files_;
    std::unique_ptr<storage::segment_set> segments_;
    std::optional<storage::log_reader> reader_;
};

} // namespace holdfast::actors::testing
