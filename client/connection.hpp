// One TCP connection to a name server or broker, with many requests in flight.
//
// Owns the socket, the requests that wait for an answer and the bytes that wait to be written. `start` may be
// called from any thread: it encodes the request right behind what is already queued, and the io thread
// writes all of it at once, so under load one system call carries many requests. Answers are matched by
// opaque and may come in any order.
//
// Connects when there is something to send, and again after a loss. Everything in flight at a loss fails:
// whether to send it again is for the caller to say, who knows what a repetition means.
#pragma once

// Boost 1.74's asio uses std::exchange without including it.
#include <utility>

#include "base/byte_buffer.hpp"
#include "client/client_options.hpp"
#include "client/endpoint.hpp"
#include "client/in_flight.hpp"
#include "client/receive_buffer.hpp"
#include "protocol/remoting_command.hpp"
#include "protocol/requests.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace holdfast::client {

// An answer, or a request of the broker's: valid during the call it is handed to.
class answer {
  public:
    answer(const protocol::remoting_command& command, receive_buffer& buffer)
        : command_(command), buffer_(buffer) {}
    [[nodiscard]] const protocol::remoting_command& command() const { return command_; }
    [[nodiscard]] int code() const { return command_.code(); }
    // The body, to be kept.
    [[nodiscard]] shared_bytes share_body() const { return buffer_.share(command_.body()); }

  private:
    const protocol::remoting_command& command_;
    receive_buffer& buffer_;
};

class connection;

// Called on the io thread.
struct connection_hooks {
    std::function<void(connection&)> opened;
    // One that was open broke; what was in flight has failed by then.
    std::function<void(connection&)> lost;
    // A request of the broker's that is not oneway must be answered with connection::reply.
    std::function<void(connection&, const answer&)> asked;
};

class connection : public std::enable_shared_from_this<connection> {
  public:
    connection(boost::asio::io_context& io, endpoint peer, const client_options& options,
               std::shared_ptr<const connection_hooks> hooks);

    [[nodiscard]] const endpoint& peer() const { return peer_; }

    // `write(byte_buffer&, const protocol::call&)` appends exactly one frame; it is called at once, or not at
    // all when the request fails here with `full` or `closed`.
    template <class Write>
    void start(std::shared_ptr<pending_call> call, in_flight::clock::time_point deadline,
               const Write& write) {
        start_with(std::move(call), deadline, write_frame::of(write));
    }
    // No answer is expected. Returns why it could not be queued.
    template <class Write>
    std::optional<call_failure> start_oneway(const Write& write) {
        return start_oneway_with(write_frame::of(write));
    }
    // Appends the answer to a request of the broker's. On the io thread.
    template <class Write>
    void reply(const Write& write) {
        reply_with(write_frame::of(write));
    }

    // Fails everything in flight with `closed` and what comes later too. On the io thread.
    void close();

    // The peer is believed to be gone: fails what is in flight, as a broken connection does. On the io
    // thread.
    void abandon(const std::string& why);

    [[nodiscard]] std::size_t requests_in_flight() const;
    // How long the peer has owed answers without saying anything; 0 when it owes none. On the io thread.
    [[nodiscard]] std::chrono::milliseconds silent_for() const;
    [[nodiscard]] bool is_open() const;

  private:
    // A reference to the caller's function, without the allocation of a std::function.
    struct write_frame {
        const void* function;
        void (*invoke)(const void* function, byte_buffer& out, const protocol::call& how);
        template <class Write>
        static write_frame of(const Write& write) {
            return {&write, [](const void* function, byte_buffer& out, const protocol::call& how) {
                        (*static_cast<const Write*>(function))(out, how);
                    }};
        }
    };
    enum class state { idle, connecting, open, waiting, closed };
    using tcp = boost::asio::ip::tcp;
    using calls = std::vector<std::shared_ptr<pending_call>>;

    void start_with(std::shared_ptr<pending_call> call, in_flight::clock::time_point deadline,
                    write_frame write);
    std::optional<call_failure> start_oneway_with(write_frame write);
    void reply_with(write_frame write);
    // Under the lock: queues one frame; true when the io thread must be told.
    bool queue_frame(const write_frame& write, std::int32_t opaque, bool oneway);
    std::optional<call_failure> refusal() const;
    void wake();

    void pump();
    void connect();
    void connected(std::uint64_t attempt, const boost::system::error_code& failure);
    void write_more();
    void write_rest();
    void read_more();
    void received(const boost::system::error_code& failure, std::size_t count);
    bool take_frames(std::string& why_not);
    void hand_out(std::size_t count);
    void lose(call_failure_kind kind, const std::string& why);
    void fail(calls& lost, call_failure_kind kind, const std::string& why);
    void wait_and_reconnect();
    void arm_expiry();

    boost::asio::io_context& io_;
    const endpoint peer_;
    const client_options& options_;
    const std::shared_ptr<const connection_hooks> hooks_;

    // The io thread's own.
    tcp::resolver resolver_;
    tcp::socket socket_;
    boost::asio::steady_timer retry_timer_; // connecting too long, or waiting to connect again
    boost::asio::steady_timer expiry_timer_;
    in_flight::clock::time_point expiry_armed_ = in_flight::clock::time_point::max();
    std::uint64_t attempt_ = 0; // which connection a completion belongs to
    std::chrono::milliseconds backoff_;
    in_flight::clock::time_point heard_{};
    byte_buffer writing_;
    std::size_t written_ = 0;
    receive_buffer incoming_;
    std::vector<protocol::remoting_command> commands_;
    calls taken_;

    mutable std::mutex mutex_;
    state state_ = state::idle;
    in_flight waiting_;
    byte_buffer outgoing_;
    bool oneway_queued_ = false; // outgoing_ holds something nobody waits for
    bool io_knows_ = false;      // a pump is on its way, or a write runs that looks again when it is done
};

} // namespace holdfast::client
