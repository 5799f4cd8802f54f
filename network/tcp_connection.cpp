#include "network/tcp_connection.hpp"

#include "network/frame_handler.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace holdfast::network {

namespace asio = boost::asio;
using asio::ip::tcp;
using error_code = boost::system::error_code;

namespace {

// Reads in a row before other connections of the thread get their turn.
constexpr int reads_per_turn = 4;
// Of one answer, that are written without the io thread.
constexpr std::size_t pieces_at_once = 8;

bool would_block(const error_code& failure) {
    return failure == asio::error::would_block || failure == asio::error::try_again ||
           failure == asio::error::interrupted;
}

peer_address describe(const tcp::socket& socket) {
    peer_address peer;
    error_code failure;
    const auto endpoint = socket.remote_endpoint(failure);
    if (failure) {
        peer.text = "a client that is already gone";
        return peer;
    }
    auto address = endpoint.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped())
        address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    peer.port = endpoint.port();
    if (address.is_v4()) {
        peer.ipv4 = address.to_v4().to_uint();
        peer.text = fmt::format("{}:{}", address.to_string(), peer.port);
    } else {
        peer.text = fmt::format("[{}]:{}", address.to_string(), peer.port);
    }
    return peer;
}

} // namespace

tcp_connection::tcp_connection(std::shared_ptr<io_thread> io, std::shared_ptr<runner_state> shared,
                               tcp::socket socket, std::string address, connection_id id,
                               frame_handler& handler)
    : io_(std::move(io)),
      shared_(std::move(shared)),
      id_(id),
      address_(std::move(address)),
      peer_(describe(socket)),
      handler_(handler),
      socket_(std::move(socket)),
      incoming_(shared_->buffers, shared_->incoming),
      last_activity_(clock::now()) {}

void tcp_connection::open() {
    shared_->outgoing.join();
    error_code ignored; // fails only on a socket that is gone, which the first read notices
    socket_.non_blocking(true, ignored);
    socket_.set_option(tcp::no_delay{true}, ignored);
    spdlog::debug("connection {} opened by {}", id_.value(), peer_.text);
    handler_.connection_opened(shared_from_this());
    wait_for_bytes();
}

// ---- reading

bool tcp_connection::may_read() const {
    return phase_ == phase::open && !is_paused_ && queued_bytes_ <= shared_->bounds.outgoing_pause_bytes;
}

// Waits for the socket to be readable before it takes a buffer, so that an idle connection holds none.
void tcp_connection::wait_for_bytes() {
    if (is_waiting_for_bytes_ || !(may_read() || phase_ == phase::lingering))
        return;
    is_waiting_for_bytes_ = true;
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const error_code& failure) {
        self->is_waiting_for_bytes_ = false;
        if (failure)
            self->close_now("connection lost: " + failure.message());
        else if (self->phase_ == phase::lingering)
            self->discard_until_end();
        else
            self->read();
    });
}

void tcp_connection::read() {
    for (int reads = 0; reads < reads_per_turn; ++reads)
        if (!may_read() || !read_once())
            break;
    wait_for_bytes();
}

bool tcp_connection::read_once() {
    const auto room = incoming_.room();
    if (!room) {
        expel(room.failure().message);
        return false;
    }
    error_code failure;
    const auto count = socket_.read_some(asio::buffer(room->data(), room->size()), failure);
    if (would_block(failure)) {
        (void)incoming_.received(0);
        return false;
    }
    if (failure == asio::error::eof) {
        flush_and_close(incoming_.is_inside_a_frame() ? "closed by the client inside a frame"
                                                      : "closed by the client");
        return false;
    }
    if (failure) {
        close_now("connection lost: " + failure.message());
        return false;
    }
    last_activity_ = clock::now();
    shared_->bytes_received += count;
    auto [frames, broken] = incoming_.received(count);
    if (!frames.empty()) {
        shared_->frames_received += frames.size();
        partial_since_.reset();
        handler_.frames_received(*this, std::move(frames));
    }
    if (broken) {
        expel(broken->message);
        return false;
    }
    note_partial_frame();
    return count == room->size();
}

void tcp_connection::note_partial_frame() {
    if (!incoming_.is_inside_a_frame())
        partial_since_.reset();
    else if (!partial_since_)
        partial_since_ = last_activity_;
}

void tcp_connection::discard_until_end() {
    std::array<std::byte, 16384> discarded;
    error_code failure;
    for (int reads = 0; reads < reads_per_turn && !failure; ++reads)
        socket_.read_some(asio::buffer(discarded), failure);
    if (!failure || would_block(failure))
        wait_for_bytes();
    else
        close_now(close_reason_);
}

void tcp_connection::resume_reading() {
    is_paused_ = false;
    post_unless_closed([self = shared_from_this()] { self->wait_for_bytes(); });
}

// ---- writing

void tcp_connection::send(shared_bytes frames) {
    std::vector<shared_bytes> pieces;
    pieces.push_back(std::move(frames));
    send(std::move(pieces));
}

void tcp_connection::send(std::vector<shared_bytes> pieces) {
    std::size_t bytes = 0;
    for (const auto& piece : pieces)
        bytes += piece.size();
    const std::lock_guard guard{mutex_};
    if (!takes_more_ || bytes == 0)
        return;
    const auto before = queued_bytes_.fetch_add(bytes);
    shared_->outgoing.change(before, before + bytes);
    if (is_too_much(before + bytes)) {
        takes_more_ = false;
        io_->post([self = shared_from_this(), waiting = before + bytes] {
            self->expel(fmt::format("does not read its answers: {} bytes are waiting", waiting));
        });
        return;
    }
    if (before == 0)
        write_at_once(pieces);
    if (pieces.empty())
        return;
    if (sent_.empty())
        sent_ = std::move(pieces);
    else
        sent_.insert(sent_.end(), std::move_iterator{pieces.begin()}, std::move_iterator{pieces.end()});
    if (!std::exchange(write_is_posted_, true))
        io_->post([self = shared_from_this()] { self->write_queued(); });
}

// On the sender's thread, when nothing waits before it: that saves waking the io thread for almost every
// answer. What the socket does not take, and every failure, is left to the io thread.
void tcp_connection::write_at_once(std::vector<shared_bytes>& pieces) {
    std::array<iovec, pieces_at_once> parts{};
    const auto count = std::min(pieces.size(), parts.size());
    for (std::size_t i = 0; i < count; ++i)
        parts[i] = {const_cast<std::byte*>(pieces[i].data()), pieces[i].size()};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const auto outcome = ::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (outcome <= 0)
        return;
    auto written = static_cast<std::size_t>(outcome);
    last_activity_.store(clock::now(), std::memory_order_relaxed);
    shared_->bytes_sent += written;
    const auto before = queued_bytes_.fetch_sub(written);
    shared_->outgoing.change(before, before - written);
    auto rest = pieces.begin();
    for (; rest != pieces.end() && written >= rest->size(); ++rest)
        written -= rest->size();
    pieces.erase(pieces.begin(), rest);
    if (written != 0)
        pieces.front() = pieces.front().slice(written, pieces.front().size() - written);
}

bool tcp_connection::is_too_much(std::size_t queued) const {
    return queued > shared_->bounds.outgoing_hard_bytes ||
           (queued > shared_->bounds.outgoing_pause_bytes && shared_->outgoing.must_yield(queued));
}

void tcp_connection::write_queued() {
    std::vector<shared_bytes> pieces;
    {
        const std::lock_guard guard{mutex_};
        write_is_posted_ = false;
        pieces.swap(sent_);
    }
    if (phase_ == phase::closed)
        return;
    outgoing_.add(std::move(pieces));
    if (!is_waiting_for_room_)
        write();
}

void tcp_connection::write() {
    for (auto views = outgoing_.next(); !views.empty(); views = outgoing_.next()) {
        write_buffers_.clear();
        std::size_t offered = 0;
        for (const auto& view : views) {
            write_buffers_.emplace_back(view.data(), view.size());
            offered += view.size();
        }
        error_code failure;
        const auto count = socket_.write_some(write_buffers_, failure);
        if (failure && !would_block(failure)) {
            close_now("connection lost: " + failure.message());
            return;
        }
        if (count != 0) {
            last_activity_ = clock::now();
            outgoing_.written(count);
            shared_->bytes_sent += count;
            const auto before = queued_bytes_.fetch_sub(count);
            shared_->outgoing.change(before, before - count);
        }
        if (count < offered) {
            wait_for_room();
            break;
        }
    }
    // Half of the mark at which reading paused, so that it does not start and stop with every answer.
    if (queued_bytes_ <= shared_->bounds.outgoing_pause_bytes / 2)
        wait_for_bytes();
    if (outgoing_.empty())
        everything_written();
}

void tcp_connection::wait_for_room() {
    is_waiting_for_room_ = true;
    socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const error_code& failure) {
        self->is_waiting_for_room_ = false;
        if (failure)
            self->close_now("connection lost: " + failure.message());
        else if (self->phase_ != phase::closed)
            self->write();
    });
}

// ---- deadlines

void tcp_connection::check_deadlines(clock::time_point now) {
    if (phase_ == phase::lingering && now >= lingers_until_)
        close_now(close_reason_);
    else if (const auto broken = broken_deadline(now); broken && phase_ != phase::closed)
        expel(*broken);
}

std::optional<std::string> tcp_connection::broken_deadline(clock::time_point now) {
    using std::chrono::milliseconds;
    const auto& bounds = shared_->bounds;
    if (now - last_activity_.load(std::memory_order_relaxed) > bounds.idle_timeout)
        return fmt::format("no byte in either direction for {} ms", bounds.idle_timeout.count());
    if (partial_since_ && !may_read())
        partial_since_ = now; // it is us who don't read
    if (partial_since_ && now - *partial_since_ > bounds.slow_frame_timeout)
        return fmt::format("a frame was not complete {} ms after its first byte",
                           bounds.slow_frame_timeout.count());
    if (incoming_.must_yield())
        return std::string{"memory for requests that have arrived in part is used up (maxIncomingBytes)"};
    if (queued_bytes_ <= bounds.outgoing_soft_bytes)
        over_soft_since_.reset();
    else if (!over_soft_since_)
        over_soft_since_ = now;
    else if (now - *over_soft_since_ > bounds.slow_reader_timeout)
        return fmt::format("does not read its answers: more than {} bytes have been waiting for {} ms",
                           bounds.outgoing_soft_bytes, bounds.slow_reader_timeout.count());
    return std::nullopt;
}

// ---- closing

// Under the lock, so that nothing is posted to a loop that has ended.
template <class Task>
void tcp_connection::post_unless_closed(Task&& task) {
    const std::lock_guard guard{mutex_};
    if (!is_closed_)
        io_->post(std::forward<Task>(task));
}

void tcp_connection::close(std::string reason) {
    post_unless_closed([self = shared_from_this(), reason = std::move(reason)] { self->close_now(reason); });
}

void tcp_connection::close_after_flush(std::string reason) {
    post_unless_closed(
        [self = shared_from_this(), reason = std::move(reason)] { self->flush_and_close(reason); });
}

void tcp_connection::expel(const std::string& reason) {
    if (phase_ == phase::closed)
        return;
    ++shared_->connections_expelled;
    shared_->expulsions.warn(fmt::format("connection {} of {} closed: {}", id_.value(), peer_.text, reason));
    close_now(reason);
}

void tcp_connection::flush_and_close(const std::string& reason) {
    if (phase_ != phase::open)
        return;
    phase_ = phase::flushing;
    close_reason_ = reason;
    {
        const std::lock_guard guard{mutex_};
        takes_more_ = false;
    }
    write_queued();
}

void tcp_connection::everything_written() {
    if (phase_ != phase::flushing)
        return;
    error_code failure;
    socket_.shutdown(tcp::socket::shutdown_send, failure);
    if (failure) {
        close_now(close_reason_);
        return;
    }
    // Closing with unread bytes would send a reset, on which the client's kernel may drop our last answers.
    phase_ = phase::lingering;
    lingers_until_ = clock::now() + linger_timeout;
    discard_until_end();
}

void tcp_connection::close_now(const std::string& reason) {
    if (phase_ == phase::closed)
        return;
    const auto keep_alive = shared_from_this();
    const auto first_reason = phase_ == phase::open ? reason : close_reason_;
    phase_ = phase::closed;
    {
        const std::lock_guard guard{mutex_};
        error_code ignored;
        socket_.close(ignored);
        takes_more_ = false;
        is_closed_ = true;
        sent_.clear();
        const auto left = queued_bytes_.exchange(0);
        shared_->outgoing.change(left, 0);
    }
    outgoing_ = {};
    shared_->outgoing.leave();
    spdlog::debug("connection {} of {} closed: {}", id_.value(), peer_.text, first_reason);
    io_->forget(id_);
    handler_.connection_closed(id_, first_reason);
    shared_->admitted.leave(address_);
}

} // namespace holdfast::network
