def write_report(store, name, out, console):
    for cell in store.cells(name):
        print(cell.arm, cell.seed, cell.status, cell.result.get("bits_per_byte"), cell.error)
