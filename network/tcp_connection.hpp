// One client's TCP connection: reads frames for a frame_handler, writes what is sent, keeps its limits.
//
// Lives on one io_thread. Only what `connection` declares may be called from elsewhere; it hands over through
// a mutex and at most one posted task at a time for all that is sent meanwhile.
//
// open -> flushing (reads no more, writes what is queued) -> lingering (waits for the client to close) ->
// closed; or directly to closed.
#pragma once

#include <utility> // Boost 1.74's Asio uses std::exchange without including it

#include "base/result.hpp"
#include "network/connection.hpp"
#include "network/incoming_stream.hpp"
#include "network/io_thread.hpp"
#include "network/outgoing_queue.hpp"
#include "network/runner_state.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::network {

class frame_handler;

class tcp_connection final : public connection, public std::enable_shared_from_this<tcp_connection> {
  public:
    using clock = std::chrono::steady_clock;

    tcp_connection(std::shared_ptr<io_thread> io, std::shared_ptr<runner_state> shared,
                   boost::asio::ip::tcp::socket socket, std::string address, connection_id id,
                   frame_handler& handler);
    ~tcp_connection() override = default;

    [[nodiscard]] connection_id id() const override { return id_; }
    [[nodiscard]] const peer_address& peer() const override { return peer_; }
    void send(shared_bytes frames) override;
    void send(std::vector<shared_bytes> pieces) override;
    [[nodiscard]] std::size_t unwritten_bytes() const override { return queued_bytes_; }
    void pause_reading() override { is_paused_ = true; }
    void resume_reading() override;
    void close(std::string reason) override;
    void close_after_flush(std::string reason) override;

    // The rest: on the io thread only.
    void open();
    void close_now(const std::string& reason);
    void flush_and_close(const std::string& reason);
    void check_deadlines(clock::time_point now);

  private:
    enum class phase { open, flushing, lingering, closed };

    [[nodiscard]] bool may_read() const;
    void wait_for_bytes();
    void read();
    void discard_until_end();
    // Whether reading may go on at once: there may be more.
    bool read_once();
    void note_partial_frame();

    void write_at_once(std::vector<shared_bytes>& pieces);
    void write_queued();
    void write();
    void wait_for_room();
    void everything_written();

    template <class Task>
    void post_unless_closed(Task&& task);
    [[nodiscard]] bool is_too_much(std::size_t queued) const;

    // For breaking a limit or the format: logged, counted, closed.
    void expel(const std::string& reason);
    [[nodiscard]] std::optional<std::string> broken_deadline(clock::time_point now);

    const std::shared_ptr<io_thread> io_; // before the socket, which needs its context to the end
    const std::shared_ptr<runner_state> shared_;
    const connection_id id_;
    const std::string address_; // as it was admitted
    peer_address peer_;
    frame_handler& handler_;
    boost::asio::ip::tcp::socket socket_;

    incoming_stream incoming_;
    outgoing_queue outgoing_;
    std::vector<boost::asio::const_buffer> write_buffers_;

    phase phase_ = phase::open;
    bool is_waiting_for_bytes_ = false;
    bool is_waiting_for_room_ = false;
    std::string close_reason_; // from flushing on
    std::optional<clock::time_point> partial_since_;
    std::optional<clock::time_point> over_soft_since_;
    clock::time_point lingers_until_;

    std::atomic<clock::time_point> last_activity_;
    std::atomic<bool> is_paused_{false};
    std::atomic<std::size_t> queued_bytes_{0};

    std::mutex mutex_; // guards the rest, and the closing of the socket
    std::vector<shared_bytes> sent_;
    bool write_is_posted_ = false;
    bool takes_more_ = true;
    bool is_closed_ = false;
};

} // namespace holdfast::network
