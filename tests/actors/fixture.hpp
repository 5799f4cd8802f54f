// A broker without sockets, threads and disk: the real actors around a real replica and committed view, run
// one message at a time by CAF's test scheduler.
//
// Time is virtual and moves only by advance(). The flusher does nothing until it is told: flush() lets what
// was written reach the disk, fail_flush() lets the disk fail.
#pragma once

#include "actors/admin.hpp"
#include "actors/commit_log.hpp"
#include "actors/consumer_group.hpp"
#include "actors/consumer_session.hpp"
#include "actors/name_service.hpp"
#include "actors/producer_session.hpp"
#include "actors/transaction_coordinator.hpp"
#include "protocol/names.hpp"
#include "protocol/properties.hpp"
#include "protocol/requests.hpp"
#include "protocol/stored_message.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace holdfast::actors::testing {

// A frame that a connection was given to send.
struct sent_frame {
    std::int32_t code = 0;
    std::int32_t opaque = 0;
    bool is_request = false;
    bool oneway = false;
    std::string remark;
    std::map<std::string, std::string> fields;
    std::string body;

    [[nodiscard]] std::int64_t number(const std::string& field) const { return std::stoll(fields.at(field)); }
    // The stored records in the body.
    [[nodiscard]] std::vector<protocol::stored_message_view> messages() const;
};

class fake_connection final : public network::connection {
  public:
    explicit fake_connection(std::uint64_t id) : id_(id) {
        peer_ = {0x0A000001, static_cast<std::uint16_t>(4000 + id), "10.0.0.1:" + std::to_string(4000 + id)};
    }

    [[nodiscard]] connection_id id() const override { return id_; }
    [[nodiscard]] const network::peer_address& peer() const override { return peer_; }
    void send(shared_bytes frames) override {
        if (broken)
            throw std::runtime_error{"a bug in the session"};
        largest_send = std::max(largest_send, frames.size());
        bytes_.append(as_text(frames.view()));
    }
    void send(std::vector<shared_bytes> pieces) override {
        for (auto& piece : pieces)
            send(std::move(piece));
    }
    [[nodiscard]] std::size_t unwritten_bytes() const override { return unwritten; }
    void pause_reading() override { paused = true; }
    void resume_reading() override {
        paused = false;
        ++resumed;
    }
    void close(std::string reason) override {
        if (!closed)
            closed = std::move(reason);
    }
    void close_after_flush(std::string reason) override { close(std::move(reason)); }

    // What was sent since the last call.
    std::vector<sent_frame> sent();
    // The one frame that was sent since the last call; a failure when it was not one.
    sent_frame only();

    bool paused = false;
    int resumed = 0;
    bool broken = false; // send() throws
    std::size_t unwritten = 0;
    std::size_t largest_send = 0; // bytes
    std::optional<std::string> closed;

  private:
    connection_id id_;
    network::peer_address peer_;
    std::string bytes_;
};
using fake_connection_ptr = std::shared_ptr<fake_connection>;

// The frames of one read.
class incoming {
  public:
    template <class Request>
    incoming& add(std::int32_t opaque, const Request& request, std::string_view body = {},
                  bool oneway = false) {
        byte_buffer frame;
        protocol::call how;
        how.opaque = opaque;
        how.oneway = oneway;
        protocol::append_request(frame, how, request, as_bytes(body));
        return raw(as_text(frame.view()));
    }
    incoming& send(std::int32_t opaque, protocol::send_message_request request, bool oneway = false);
    incoming& send(std::int32_t opaque, std::string_view topic, std::string_view body, std::int32_t queue = 0,
                   std::string_view properties = {});
    incoming& raw(std::string_view frame);

    [[nodiscard]] session_frames_ptr take();

  private:
    std::string bytes_;
    std::vector<network::frame_range> ranges_;
};

[[nodiscard]] protocol::send_message_request send_of(std::string_view topic, std::string_view body,
                                                     std::int32_t queue = 0);
[[nodiscard]] protocol::pull_message_request pull_of(std::string_view topic, std::int64_t offset,
                                                     std::string_view expression = "*");

// Where the fake helpers of the commit log keep what they were asked.
struct fake_disk {
    std::deque<flush_request_ptr> flushes;
    std::vector<checkpoint_job_ptr> checkpoints;
    std::vector<log_position> trims;
    std::vector<log_position> indexed;
    std::vector<shared_bytes> written; // entries of all flushes that succeeded
};

// The outcomes an appender was told, one element a message.
struct heard_outcomes {
    std::vector<batch_outcomes_ptr> messages;
    [[nodiscard]] std::vector<batch_outcome> all() const;
};

class actor_fixture : public ::testing::Test {
  protected:
    actor_fixture();
    ~actor_fixture() override;

    // Runs actors until none has anything to do.
    void settle();
    // Virtual and wall-clock time, in steps small enough for every timer to see its own time.
    void advance(std::chrono::milliseconds by);
    // The oldest flush under way reaches the disk; false when none is.
    bool flush();
    // Until nothing is under way any more.
    void flush_all();
    void fail_flush();

    // Elects the leader: everything up to the first flush.
    void lead();
    // Puts an entry into the log and waits until it is committed.
    void commit(broker::entry_draft draft);
    void make_topic(const std::string& name, std::uint32_t queues = 4);
    void delete_topic(const std::string& name);
    void make_group(const std::string& name);
    // Commands of one kind in everything that was flushed.
    [[nodiscard]] std::vector<std::string> logged(broker::command_kind kind) const;

    fake_connection_ptr connect() { return std::make_shared<fake_connection>(++connections_); }
    producer_session_actor producer(const fake_connection_ptr& connection);
    consumer_session_actor consumer(const fake_connection_ptr& connection);
    template <class Session>
    void deliver(const Session& session, incoming frames) {
        caf::anon_send(session, frames_atom::value, frames.take());
        settle();
    }
    void ask_admin(const fake_connection_ptr& connection, incoming frames);
    void ask_name_service(const fake_connection_ptr& connection, incoming frames);
    appender_actor listener(const std::shared_ptr<heard_outcomes>& heard);
    void append(const appender_actor& appender, std::uint64_t ticket, broker::entry_draft draft);

    template <class Actor>
    void track(const Actor& actor) {
        tracked_.push_back(caf::actor_cast<caf::strong_actor_ptr>(actor));
    }
    caf::actor_system& system() { return *system_; }
    [[nodiscard]] queue_key queue_of(const std::string& topic, std::uint32_t queue = 0) const;

    // Change these before lead().
    config::node_config config;
    std::function<result<void>(const consensus::hard_vote&)> persist_vote = [](const consensus::hard_vote&) {
        return result<void>{};
    };
    commit_log_settings log_settings;
    std::vector<std::string> peers; // of the group; none: this node is alone
    std::function<void(const std::string& peer, peer_frame frame)> send_to_peer;
    std::uint64_t max_entry_bytes = 1U << 20U;

    // Look at these at any time.
    std::shared_ptr<fake_disk> disk = std::make_shared<fake_disk>();
    flusher_actor flusher;
    std::shared_ptr<session_environment> environment = std::make_shared<session_environment>();
    std::optional<committed_view> view;
    storage::entry_cache cache{64U << 20U};
    group_registry groups;
    wake_registry waiters;
    queue_owners owners;
    producer_connections producers;
    node_health health_of_node;
    node_counters counters;
    std::atomic<storage::key_index*> keys{nullptr};
    std::vector<std::string> fenced; // each reason told
    int leading = 0;
    std::vector<read_job_ptr> reads;   // what was handed to the reader
    std::set<log_position> unreadable; // halves that the coordinator can't read
    std::function<std::int64_t(timestamp_ms)> offset_at = [](timestamp_ms) {
        return 0;
    }; // the reader's answer
    timestamp_ms now{1'700'000'000'000};

  private:
    void spawn_log();
    void spawn_services();
    [[nodiscard]] result<storage::cached_entry> read_half(log_position position);

    storage::testing::temporary_directory directory_;
    std::unique_ptr<storage::derived_store> store_;
    caf::actor_system_config system_config_;
    std::unique_ptr<caf::actor_system> system_;
    caf::scheduler::test_coordinator* scheduler_ = nullptr;
    std::vector<caf::strong_actor_ptr> tracked_;
    std::uint64_t connections_ = 0;
    std::uint64_t ticket_ = 0;
};

} // namespace holdfast::actors::testing
