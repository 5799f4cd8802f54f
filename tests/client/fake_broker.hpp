// A name server and broker in this process, for tests of the client: real sockets, everything in memory, and
// a script that may answer any request differently, late, out of order or not at all.
//
// It keeps to protocol reference 3: routes (105), sends (310, 320), pulls with long polling (11), offsets
// (14, 15, 29-31), membership with notices (34, 35, 38, 40), topics (17, 106, 206), look-ups (12, 33),
// transactions (37, 39), send-back without delay (36), queue locks without expiry (41, 42).
#pragma once

// Boost 1.74's asio uses std::exchange without including it.
#include <utility>

#include "base/byte_buffer.hpp"
#include "protocol/remoting_command.hpp"
#include "protocol/requests.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace holdfast::client::testing {

class fake_session;
using session_ptr = std::shared_ptr<fake_session>;

// A request as a script sees it; `command` is valid during the call.
struct seen_request {
    const protocol::remoting_command& command;
    session_ptr from;
    int number; // of this code, from 1
};
enum class script_says { serve, stay_silent, close };

// A half message, and what became of it.
struct fake_half {
    std::string topic;
    std::uint32_t queue = 0;
    std::string body;
    std::string properties;
    std::int32_t sys_flag = 0;
    std::uint64_t position = 0;
    std::string group;
    protocol::transaction_end decision = protocol::transaction_end::unknown; // the first one
};
// An END_TRANSACTION as it came.
struct fake_end {
    std::string group;
    std::int64_t number = 0;
    std::uint64_t position = 0;
    protocol::transaction_end verdict = protocol::transaction_end::unknown;
    bool from_check = false;
    bool oneway = false;
    std::string message_id;
    std::string transaction_id;
};
// A send-back as it came.
struct fake_send_back {
    std::uint64_t position = 0;
    std::string group;
    std::int32_t level = 0;
    std::string origin_message_id;
    std::string origin_topic;
    std::optional<std::int32_t> max_reconsume_times;
};

class fake_broker {
  public:
    using script = std::function<script_says(const seen_request&)>;
    using queue_name = std::pair<std::string, std::uint32_t>; // topic, queue

    explicit fake_broker(std::uint16_t port = 0);
    ~fake_broker();
    fake_broker(const fake_broker&) = delete;
    fake_broker& operator=(const fake_broker&) = delete;

    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] std::uint16_t port() const { return port_; }

    void add_topic(const std::string& topic, std::int32_t queues, std::int32_t permission = 6);
    // Makes `count` records of one body and tag; returns the offset of the first.
    std::int64_t store(const std::string& topic, std::uint32_t queue, std::string_view body,
                       std::string_view properties = {}, std::int32_t sys_flag = 0);
    // Forgets what is before `first` (as retention does).
    void trim(const std::string& topic, std::uint32_t queue, std::int64_t first);

    // Called for every request of the code, before it is served.
    void on(protocol::request_code code, script run);
    // Answers with an error, for a script that stays silent then.
    static void refuse(const seen_request& request, protocol::response_code code, std::string_view remark);
    // Bytes to whoever asked.
    static void write(const seen_request& request, byte_view bytes);
    // Serves a request later, in whatever order: keeps what it needs.
    void hold(const seen_request& request);
    // Serves the held requests in the given order of their arrival.
    void release(const std::vector<std::size_t>& order);
    // A request of the broker's to every connection of a consumer group.
    template <class Request>
    void tell_group(const std::string& group, const Request& request, bool oneway, byte_view body = {}) {
        byte_buffer out;
        protocol::append_request(out, {.opaque = 7'000'001, .oneway = oneway, .remark = {}}, request, body);
        tell_members(group, out);
    }
    // Asks every connection of the half message's producer group what became of it (39).
    void check_half(std::size_t number);
    [[nodiscard]] std::vector<fake_half> halves() const;
    [[nodiscard]] std::vector<fake_end> ends() const;
    [[nodiscard]] std::vector<fake_send_back> send_backs() const;
    [[nodiscard]] std::size_t producers(const std::string& group) const;
    // The client that holds the lock of a queue; empty = nobody.
    [[nodiscard]] std::string lock_owner(const std::string& group, const std::string& topic,
                                         std::uint32_t queue) const;
    void set_lock(const std::string& group, const std::string& topic, std::uint32_t queue,
                  const std::string& client_id);
    void close_connections();

    // From now on this node does not lead: its routes name `leader` (empty = nobody), and what only a leader
    // does it refuses as our followers do. With its own address it leads again.
    void follow(const std::string& leader);
    // Whoever has pulled messages is told to ask the node with that id next: 1 is `follower`, which routes
    // name.
    void suggest(std::int64_t id, const std::string& follower);
    // Pulls are served while it does not lead, too.
    void serve_reads();
    // Makes this node's messages, offsets, half messages and locks those of the other one.
    void copy_state_of(const fake_broker& other);

    // Waits until `true_now` holds, looked at after every request; false after 10 s.
    bool wait_until(const std::function<bool()>& true_now);
    [[nodiscard]] int count(protocol::request_code code) const;
    [[nodiscard]] std::size_t stored(const std::string& topic, std::uint32_t queue) const;
    [[nodiscard]] std::vector<std::string> bodies(const std::string& topic) const;
    [[nodiscard]] std::vector<std::string> properties(const std::string& topic) const;
    // -1 when nothing is stored.
    [[nodiscard]] std::int64_t committed(const std::string& group, const std::string& topic,
                                         std::uint32_t queue) const;
    void set_committed(const std::string& group, const std::string& topic, std::uint32_t queue,
                       std::int64_t offset);
    [[nodiscard]] std::size_t held() const;
    // Answers of clients to the broker's requests: their codes.
    [[nodiscard]] std::vector<int> answers() const;
    [[nodiscard]] std::size_t members(const std::string& group) const;

  private:
    friend class fake_session;
    struct topic_state {
        std::int32_t queues = 0;
        std::int32_t permission = 6;
    };
    struct log {
        std::int64_t first = 0;
        std::vector<std::string> records; // the first one has offset `first`
        [[nodiscard]] std::int64_t end() const { return first + static_cast<std::int64_t>(records.size()); }
    };
    struct parked_pull {
        session_ptr session;
        protocol::answer_to to;
        std::string topic;
        std::uint32_t queue;
        std::int64_t offset;
        std::int32_t most;
        std::int32_t most_bytes; // of records, if not 0; one is given always
    };

    void accept();
    void arrived(const session_ptr& session, const protocol::remoting_command& command);
    void closed(const session_ptr& session);
    void serve(const session_ptr& session, const protocol::remoting_command& command);
    [[nodiscard]] bool leads() const { return leader_ == address(); }
    bool serve_as_follower(const session_ptr& session, const protocol::remoting_command& command);
    void serve_send(const session_ptr& session, const protocol::remoting_command& command);
    void serve_pull(const session_ptr& session, const protocol::remoting_command& command);
    void serve_offset(const session_ptr& session, const protocol::remoting_command& command);
    void serve_group(const session_ptr& session, const protocol::remoting_command& command);
    void serve_topic(const session_ptr& session, const protocol::remoting_command& command);
    void serve_half(const session_ptr& session, const protocol::remoting_command& command,
                    const protocol::send_message_request& request);
    void serve_end(const session_ptr& session, const protocol::remoting_command& command);
    void serve_send_back(const session_ptr& session, const protocol::remoting_command& command);
    void serve_locks(const session_ptr& session, const protocol::remoting_command& command);
    void serve_lookup(const session_ptr& session, const protocol::remoting_command& command);
    bool answer_pull(const parked_pull& pull, bool last_try);
    void park(parked_pull pull, std::int64_t timeout_ms);
    void wake(const std::string& topic, std::uint32_t queue);
    std::int64_t append(const std::string& topic, std::uint32_t queue, std::string_view body,
                        std::string_view properties, std::int32_t sys_flag, std::int32_t reconsume_times = 0);
    void notify_group(const std::string& group);
    void tell_members(const std::string& group, const byte_buffer& frame);

    boost::asio::io_context io_;
    boost::asio::ip::tcp::acceptor acceptor_;
    std::uint16_t port_ = 0;
    std::string leader_; // whom routes name
    std::string follower_;
    std::int64_t suggested_ = 0;
    bool serves_reads_ = false;
    std::thread thread_;

    mutable std::recursive_mutex mutex_;
    std::condition_variable_any changed_;
    std::set<session_ptr> sessions_;
    std::map<std::string, topic_state> topics_;
    std::map<queue_name, log> logs_;
    std::map<std::pair<std::string, queue_name>, std::int64_t> offsets_;
    std::map<std::string, std::map<session_ptr, std::string>> groups_; // group, connection, client id
    std::map<std::string, std::set<session_ptr>> producers_;           // by group
    std::vector<fake_half> halves_;
    std::vector<fake_end> ends_;
    std::vector<fake_send_back> send_backs_;
    std::map<std::pair<std::string, queue_name>, std::string> locks_;   // client id
    std::map<std::pair<std::string, queue_name>, session_ptr> pullers_; // who pulled last
    std::map<protocol::request_code, script> scripts_;
    std::map<protocol::request_code, int> counts_;
    std::list<parked_pull> parked_;
    std::vector<std::pair<session_ptr, std::string>> held_; // whole frames
    std::vector<int> answers_;
    std::uint64_t position_ = 0;
};

} // namespace holdfast::client::testing
